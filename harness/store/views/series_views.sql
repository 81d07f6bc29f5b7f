-- Figures over nights, for readers: part of minizoo's interface, as the views of harness/store/views.sql are. `night` is null for
-- runs of no night. Two rows belong to one series where model or label, task, metric, filter, backend, hardware, the GPU's UUID
-- or the host, suite, shots, limit, dtypes and `pin` are alike: `harness.fleet.history.series` puts them together.

-- The run that stands for each (run, night): where it ran, of what series of checkpoints it is.
CREATE VIEW night_places AS
SELECT n.run_id, min(n.night) AS night, any_value(j.label) AS label, any_value(j.axis) AS axis, any_value(j.at) AS "at",
       any_value(j.gpu_uuid) AS gpu_uuid
FROM night_runs n JOIN night_jobs j USING (night, job) GROUP BY n.run_id;

-- Blocks whose job was not repeated the same night; a repetition without a block takes nobody's place.
CREATE VIEW night_blocks AS
SELECT c.* FROM night_canary c
WHERE NOT EXISTS (
  SELECT 1 FROM night_canary again
  WHERE again.night = c.night AND again.recheck_of = c.job AND again.point = c.point AND again.metric = c.metric
);

-- The mean log-probability of the right answer a document, in nats. A document has a row for each metric; it counts once.
CREATE VIEW gold_means AS
SELECT run_id, task, avg(gold) AS value, count(*) AS n
FROM (
  SELECT run_id, task, doc_hash, occurrence, any_value(gold_logprob) AS gold
  FROM sample_rows WHERE gold_logprob IS NOT NULL GROUP BY run_id, task, doc_hash, occurrence
) GROUP BY run_id, task;

CREATE VIEW series AS
WITH measured AS (
  SELECT r.*, p.night, p.label, p.axis, p."at", p.gpu_uuid
  FROM records r LEFT JOIN night_places p USING (run_id)
  WHERE r.source = 'measured' AND r.status = 'ok'
), figures AS (
  SELECT m.night, m.run_id, m.finished_at, m.model, m.label, m.axis, m."at", m.task, s.metric, s.filter, m.backend, m.device, m.gpu,
         m.gpu_uuid, 'accuracy' AS kind, s.value, s.lower, s.upper, s.n, m.driver, m.weights_digest, m.versions, m.suite, m.shots,
         m."limit", m.dtype, m.compute_dtype, m.host, m.processor, NULL::VARCHAR AS pin, s.higher_is_better
  FROM metrics s JOIN measured m USING (run_id, task) WHERE s.value IS NOT NULL
  UNION ALL BY NAME
  SELECT m.night, m.run_id, m.finished_at, m.model, m.label, m.axis, m."at", m.task, 'gold_logprob' AS metric, 'none' AS filter,
         m.backend, m.device, m.gpu, m.gpu_uuid, 'gold_logprob' AS kind, g.value, g.n, m.driver, m.weights_digest, m.versions,
         m.suite, m.shots, m."limit", m.dtype, m.compute_dtype, m.host, m.processor, true AS higher_is_better
  FROM gold_means g JOIN measured m USING (run_id, task)
  UNION ALL BY NAME
  SELECT b.night, any_value(r.run_id) AS run_id, any_value(n.ended_at) AS finished_at, b.model, any_value(j.label) AS label,
         any_value(j.axis) AS axis, any_value(j."at") AS "at", b.workload || '.' || b.point AS task, b.metric, 'none' AS filter,
         b.backend, b.device, any_value(j.gpu) AS gpu, b.gpu_uuid, 'ratio' AS kind,
         exp(median(ln(b.candidate / b.canary))) AS value, count(*) AS n,
         json_extract_string(any_value(b.versions), '$.driver') AS driver,
         json_extract_string(any_value(b.versions), '$.weights') AS weights_digest, any_value(b.versions) AS versions, b.host,
         b.canary_pin AS pin, true AS higher_is_better
  FROM night_blocks b JOIN nights n USING (night) LEFT JOIN night_jobs j USING (night, job) LEFT JOIN (
    SELECT night, job, min(run_id) AS run_id FROM night_runs WHERE role = 'candidate' GROUP BY night, job
  ) r USING (night, job)
  GROUP BY b.night, b.model, b.workload, b.point, b.metric, b.backend, b.device, b.gpu_uuid, b.host, b.canary_pin
  UNION ALL BY NAME
  SELECT b.night, any_value(n.ended_at) AS finished_at, b.canary_model AS model, b.workload || '.' || b.point AS task, b.metric,
         'none' AS filter, b.device, any_value(j.gpu) AS gpu, b.gpu_uuid, 'canary' AS kind, exp(median(ln(b.canary))) AS value,
         count(*) AS n, json_extract_string(any_value(b.versions), '$.driver') AS driver, any_value(b.versions) AS versions,
         b.host, b.canary_pin AS pin, true AS higher_is_better
  FROM night_blocks b JOIN nights n USING (night) LEFT JOIN night_jobs j USING (night, job)
  GROUP BY b.night, b.canary_model, b.workload, b.point, b.metric, b.device, b.gpu_uuid, b.host, b.canary_pin
)
SELECT night, run_id, finished_at, model, label, axis, "at", task, metric, filter, backend, device, gpu, gpu_uuid, kind, value,
       lower, upper, n, backend AS engine,
       coalesce(json_extract_string(versions, '$.vllm'), json_extract_string(versions, '$.tensorrt_llm'),
                json_extract_string(versions, '$.transformers')) AS engine_version,
       driver, json_extract_string(versions, '$.torch') AS torch, json_extract_string(versions, '$.minizoo') AS minizoo,
       weights_digest, suite, shots, "limit", dtype, compute_dtype, host, processor, pin, versions, higher_is_better
FROM figures;
