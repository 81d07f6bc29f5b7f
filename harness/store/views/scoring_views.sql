-- Scoring beside another engine, for readers: part of minizoo's interface, as the views of harness/store/views.sql are.
-- A scoring that failed has no row here: what ended it stands in its record, and the view `runs` counts it.

CREATE VIEW scoring AS
SELECT b.run_id, r.finished_at, r.model, r.backend, r.device, r.gpu, r.dtype, b.weights, b.task, b.shots, b.documents, b."of",
       b.requests, b.seconds, b.reference, b.reference_seconds, b.reference_seconds / nullif(b.seconds, 0) AS ratio, b.peak_bytes,
       b.reference_peak_bytes, b.flips, b.largest, b.checked_documents, b.flips_from_fp32, b.reference_flips_from_fp32,
       b.largest_from_fp32, b.reference_largest_from_fp32, b.conforms, b.tokenizer, b.note, r.source, r.contributed_by
FROM beside_rows b JOIN records r USING (run_id, task);

-- What the tasks of a model come to on one machine: the newest of each task, as long as its whole would take at the pace of
-- its part. Whose rows they are is kept apart, for two contributors' machines are not one.
CREATE VIEW scoring_suites AS
SELECT model, backend, device, gpu, processor, dtype, weights, reference, count(*) AS tasks,
       sum(seconds * "of" / documents) AS seconds, sum(reference_seconds * "of" / documents) AS reference_seconds,
       sum(reference_seconds * "of" / documents) / sum(seconds * "of" / documents) AS ratio,
       bool_or(documents < "of") AS extrapolated, source, contributed_by
FROM (
  SELECT r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, b.weights, b.reference, b.seconds, b.reference_seconds,
         b.documents, b."of", r.source, r.contributed_by
  FROM beside_rows b JOIN records r USING (run_id, task)
  WHERE b.documents > 0 AND b.seconds > 0 AND b.reference_seconds > 0
  QUALIFY row_number() OVER (
    PARTITION BY r.model, r.backend, r.device, r.gpu, r.processor, r.dtype, b.weights, b.reference, r.source, r.contributed_by,
                 b.task
    ORDER BY r.finished_at DESC, b.run_id DESC
  ) = 1
) GROUP BY ALL;
