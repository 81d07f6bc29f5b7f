"""How many bytes an entry's weights take as they are stored, and how they are held when it runs.

By closed form where the entry says how they are stored; where a source states another figure than that gives, the source's.
Where neither is known nothing is given: a quantised model is never counted in 16 bits.
"""

from __future__ import annotations

from zoo.arch.held import Held, held_in, known_dtype, kv_dtype_of, products_of
from zoo.arch.parameters import Dtype
from zoo.arch.weight_bytes import Scheme, WeightBytes, bytes_in, bytes_quantised
from zoo.errors import StorageUnknown
from zoo.registry.printed import PRINTED, printed_number, same_at_printed_precision
from zoo.registry.schema import Entry, Quantization

ASSUMED: Dtype = "bfloat16"
"""Of a model that is not quantised and whose files' dtype no source states."""


def quantization_of(entry: Entry) -> Quantization | None:
    """How the entry's weights are quantised; None where they are not."""
    return entry.lineage.quantization if entry.lineage else None


def weights_by_closed_form(entry: Entry) -> WeightBytes | None:
    """Bytes of the weights as the entry says that they are stored; None of a quantised one whose width it does not say."""
    quantization = quantization_of(entry)
    if quantization is None:
        return bytes_in(entry.architecture, plain_dtype(entry))
    if quantization.bits is None:
        return None
    scheme = Scheme(quantization.bits, quantization.kept, quantization.group_size, quantization.scale_bits)
    return bytes_quantised(entry.architecture, scheme)


def stored_weights(entry: Entry) -> WeightBytes | None:
    """As `weights_by_closed_form`, but a figure that a source states wins where the two differ; None where neither is known."""
    closed = weights_by_closed_form(entry)
    stated = [said.value for said in entry.stated if said.field == "weight_bytes" and PRINTED.match(said.value)]
    if not stated or (closed is not None and any(same_at_printed_precision(value, closed.total) for value in stated)):
        return closed
    total, quantization = int(printed_number(stated[0])), quantization_of(entry)
    table = bytes_in(entry.architecture, ASSUMED).embedding
    if quantization is None:
        whole = bytes_in(entry.architecture, ASSUMED)
        return WeightBytes(total, total * (whole.embedding or 0) // whole.total)
    if "embedding" in quantization.kept:
        return WeightBytes(total, table)
    return WeightBytes(total, closed.embedding if closed else None)


def stored_as(entry: Entry) -> str:
    """In words, how the weights are stored: the scheme, or a dtype and whether it is assumed."""
    quantization = quantization_of(entry)
    if quantization is not None:
        kept = f"; {' and '.join(quantization.kept)} in 16 bits" if quantization.kept else ""
        return f"{quantization.scheme}{kept}"
    files = entry.hub.files if entry.hub else None
    known = entry.weights is not None or (files is not None and files.dtype is not None)
    return plain_dtype(entry) if known else f"{ASSUMED}, assumed: no source states the dtype of its files"


def plain_dtype(entry: Entry) -> Dtype:
    """The dtype of an entry that is not quantised: as its files are stated, else ASSUMED."""
    files = entry.hub.files if entry.hub else None
    return (files.dtype if files else None) or ASSUMED


def kv_dtype(entry: Entry) -> Dtype:
    """What the entry's cache is kept in when it runs as it is stored: 16 bits unless a source states a quantised one."""
    quantization = quantization_of(entry)
    return (quantization.kv_cache if quantization else None) or "bfloat16"


def held_entry(entry: Entry, name: str, dtype: str = "auto") -> Held:
    """How the entry's weights are held: as they are stored (`auto`), or widened or narrowed to `dtype`.

    Raises UnsupportedDtype for a word that is no dtype, StorageUnknown where nobody says what the stored weights take.
    """
    quantization = quantization_of(entry)
    if dtype != "auto":
        return held_in(entry.architecture, known_dtype(dtype), quantization.scheme if quantization else None)
    stored = stored_weights(entry)
    if stored is None:
        raise StorageUnknown(
            f"{name} is quantised ({stored_as(entry)}), and no source states how many bytes its weights take.",
            "`--dtype bfloat16` counts them widened to 16 bits; or add a stated weight_bytes to its entry.",
        )
    if quantization is None:
        plain = plain_dtype(entry)
        return Held(stored, products_of(plain), kv_dtype_of(plain), plain)
    return Held(stored, _products(quantization), kv_dtype(entry), f"as stored: {stored_as(entry)}")


def _products(quantization: Quantization) -> tuple[Dtype, ...]:
    """In what products are computed: as stated, else by the name of the scheme; weights alone in few bits are widened."""
    scheme = quantization.scheme.lower()
    named: Dtype = "float8" if scheme.startswith("fp8") else "int8" if scheme.startswith(("int8", "w8a8")) else ASSUMED
    return products_of(quantization.activations or named)
