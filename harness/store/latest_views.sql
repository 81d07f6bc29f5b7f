-- The newest good score of each circumstance, for readers: part of minizoo's interface, as the views of harness/store/views.sql are.
-- A newer failure hides nothing, and a run over a part of the documents stands beside the whole one, never in its place. What
-- others measured (imported, contributed, published) is not in it. No suite of conformance exists yet, so that nothing has
-- been asked whether its backend is right: every row says `unchecked`.

CREATE VIEW latest_valid AS
SELECT *, 'unchecked' AS conformance
FROM scores
WHERE source = 'measured' AND status = 'ok' AND value IS NOT NULL
QUALIFY row_number() OVER (
  PARTITION BY model, suite, task, metric, filter, shots, "limit", backend, device, gpu, dtype, compute_dtype
  ORDER BY finished_at DESC, run_id DESC
) = 1;
