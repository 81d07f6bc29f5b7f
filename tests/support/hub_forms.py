"""JSON Schemas of the hub's forms of results, from hub-docs' eval_results.yaml and modelcard.md."""

TEXT = {"type": "string", "minLength": 1}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?$"}
DATASET_ID = {"type": "string", "pattern": r"^[\w.-]+/[\w.-]+$"}

EVAL_RESULTS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["dataset", "value"],
        "properties": {
            "dataset": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "task_id"],
                "properties": {
                    "id": DATASET_ID,
                    "task_id": TEXT,
                    "revision": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
                },
            },
            "value": {"type": "number"},
            "verifyToken": TEXT,
            "date": MOMENT,
            "source": {
                "type": "object",
                "additionalProperties": False,
                "required": ["url"],
                "properties": {"url": TEXT, "name": TEXT, "user": TEXT, "org": TEXT},
            },
            "notes": TEXT,
        },
    },
}

MODEL_INDEX = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model-index"],
    "properties": {
        "model-index": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "results"],
                "properties": {
                    "name": TEXT,
                    "results": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["task", "dataset", "metrics"],
                            "properties": {
                                "task": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["type"],
                                    "properties": {"type": TEXT, "name": TEXT},
                                },
                                "dataset": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["type", "name"],
                                    "properties": {
                                        "type": TEXT,
                                        "name": TEXT,
                                        "config": TEXT,
                                        "split": TEXT,
                                        "revision": TEXT,
                                        "args": {"type": "object"},
                                    },
                                },
                                "metrics": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "additionalProperties": False,
                                        "required": ["type", "value"],
                                        "properties": {
                                            "type": TEXT,
                                            "value": {"type": ["number", "string"]},
                                            "name": TEXT,
                                            "config": TEXT,
                                            "args": {"type": "object"},
                                        },
                                    },
                                },
                                "source": {
                                    "type": "object",
                                    "required": ["url"],
                                    "properties": {"name": TEXT, "url": TEXT},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
