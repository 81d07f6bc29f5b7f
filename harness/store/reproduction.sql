-- Published beside measured: a row for each measured score and each published one of the same model, task and metric.
-- What is asked is whether all documents of the task would have scored what was printed. Published and measured scores are of
-- the same documents, so the error of a run over part of them shrinks as the part grows (finite population); what stays is the
-- sampling of answers, on both sides, the rounding of the printed figure, and that a source may have taken a part of its own.
-- Verdicts: reproduced (the difference's 95 % interval lies within ± margin), differs (it lies outside), not resolved (neither:
-- `needs_n` documents would tell, if the difference stays as it is), not comparable (`reason` says why).

CREATE VIEW reproduction AS
WITH paired AS (
  SELECT s.run_id, r.finished_at, r.model, r.suite, s.task, s.metric, s.filter, r.shots, s.value AS measured, s.lower, s.upper,
         s.n, s.total, e.value AS published, e.printed, e.origin, e.protocol, e.shots AS published_shots,
         s.value - e.value AS difference, e.rounding,
         -- 1.96·√2·s is how far two draws of examples lie apart in 95 % of cases (harness/stats/finite_sample.py)
         coalesce(p.margin, greatest(0.01, 1.959964 * sqrt(2) * s.fewshot_sd), 0.01) AS margin,
         CASE WHEN p.margin IS NOT NULL THEN 'stated by the suite'
              WHEN 1.959964 * sqrt(2) * s.fewshot_sd > 0.01 THEN format('{} draws of few-shot examples', s.fewshot_draws)
              ELSE 'one point' END AS margin_basis,
         CASE WHEN s.stderr > 0 THEN s.whole_stderr / s.stderr ELSE sqrt(greatest(0, 1 - s.n / s.total)) END AS left_of_it,
         -- variance of one document, from the wider of stderr and interval: a stderr of 0 says nothing
         s.n * greatest(s.stderr, (s.upper - s.lower) / (2 * 1.959964)) ** 2 AS spread,
         coalesce(s.decoding_stderr, 0) ** 2 * s.n / s.total AS own_noise,
         coalesce(s.decoding_stderr, 0) ** 2 * s.n / s.total
           * coalesce(p.samples_each / coalesce(e.samples_each, p.samples_each), 1) AS their_noise,
         CASE WHEN e.subset IS NOT NULL THEN (1 / p.share - 1) / s.total ELSE 0 END AS their_part,
         CASE
           WHEN e.scale <> 'raw' THEN 'the published score is corrected for chance'
           WHEN e.revision IS NOT NULL THEN format('the source measured the weights ''{}''', e.revision)
           WHEN e.shots IS NULL THEN 'the source does not say how many shots'
           WHEN r.shots IS DISTINCT FROM e.shots
             THEN format('{} shots here, {} in the source', coalesce(CAST(r.shots AS VARCHAR), 'several'), e.shots)
           WHEN p.departure IS NOT NULL THEN p.departure
           WHEN p.temperature IS DISTINCT FROM e.temperature AND e.temperature IS NOT NULL
             THEN format('temperature {} here, {} in the source', coalesce(CAST(p.temperature AS VARCHAR), 'none'), e.temperature)
           WHEN p.temperature > 0 AND p.top_p IS DISTINCT FROM e.top_p AND e.top_p IS NOT NULL
             THEN format('top-p {} here, {} in the source', coalesce(CAST(p.top_p AS VARCHAR), 'none'), e.top_p)
           WHEN s.total IS NULL THEN 'the record does not say how many documents the task has'
           WHEN s.total <> e.items
             THEN format('the data here has {:,} documents, the benchmark {:,}', s.total, e.items)
           WHEN e.subset IS NOT NULL AND p.share IS NULL THEN format('published on {}, not on all', e.subset)
           WHEN e.subset IS NULL AND p.share IS NOT NULL THEN 'the suite takes a part of the documents, the source all'
         END AS reason
  FROM metrics s
  JOIN records r USING (run_id, task)
  JOIN run_protocols p USING (run_id, task)
  JOIN expected e ON e.model = r.model AND e.task = s.task AND s.metric = coalesce(e.metric, p.metric)
                 AND s.filter = coalesce(e.filter, p.filter, s.filter)
  WHERE r.status = 'ok' AND p.in_registry AND s.value IS NOT NULL
), bounded AS (
  SELECT *,
         1.959964 ** 2 * (their_noise + their_part * spread) AS around,
         difference - sqrt((left_of_it * (measured - lower)) ** 2 + around) - rounding AS difference_lower,
         difference + sqrt((left_of_it * (upper - measured)) ** 2 + around) + rounding AS difference_upper,
         greatest(0, abs(abs(difference) - margin) - rounding) / 1.959964 AS reach
  FROM paired
), judged AS (
  SELECT *,
         CASE WHEN reason IS NOT NULL THEN 'not comparable'
              WHEN difference_lower IS NULL OR difference_upper IS NULL THEN 'not resolved'
              WHEN difference_lower >= -margin AND difference_upper <= margin THEN 'reproduced'
              WHEN difference_lower > margin OR difference_upper < -margin THEN 'differs'
              ELSE 'not resolved' END AS verdict,
         spread / (reach ** 2 + spread / total - own_noise - their_noise - their_part * spread) AS wanted_n
  FROM bounded
)
SELECT run_id, finished_at, model, suite, task, metric, filter, shots, measured, lower, upper, n, total, published, printed,
       origin, protocol, published_shots, difference, difference_lower, difference_upper, margin, margin_basis, verdict,
       CASE WHEN verdict = 'not resolved' AND n < total AND wanted_n > 0 AND wanted_n <= total
            THEN CAST(greatest(ceil(wanted_n), n + 1) AS BIGINT) END AS needs_n,
       CASE WHEN verdict <> 'not resolved' THEN reason
            WHEN lower IS NULL OR upper IS NULL THEN 'the measured score has no interval'
            WHEN n >= total THEN 'every document was run: the difference is too near the margin'
            WHEN NOT coalesce(wanted_n > 0 AND wanted_n <= total, false) THEN 'the difference is too near the margin' END AS reason
FROM judged;
