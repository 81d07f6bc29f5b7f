-- The newest good score of each circumstance, for readers: part of minizoo's interface, as the views of harness/store/views.sql are.
-- A newer failure hides nothing, and a run over a part of the documents stands beside the whole one, never in its place. What
-- others measured (imported, contributed, published) is not in it, nor what a backend scored that failed conformance for such a
-- model (status `unverified`). `conformance` says `passed`, or `unchecked` where nobody had asked.

CREATE VIEW latest_valid AS
SELECT s.*
FROM scores s JOIN (
  SELECT run_id, task, json_extract_string(record, '$.chat_template') AS chat_template FROM records
) r USING (run_id, task)
WHERE s.source = 'measured' AND s.status = 'ok' AND s.value IS NOT NULL
QUALIFY row_number() OVER (
  PARTITION BY s.model, s.suite, s.task, s.metric, s.filter, s.shots, s."limit", s.backend, s.device, s.gpu, s.dtype,
               s.compute_dtype, r.chat_template
  ORDER BY s.finished_at DESC, s.run_id DESC
) = 1;
