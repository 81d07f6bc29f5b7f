-- The public views: their names and columns are part of minizoo's interface. Everything else may change with the schema.

CREATE VIEW scores AS
SELECT s.run_id, r.finished_at, r.model, r.backend, r.device, r.gpu, r.suite, s.task, s.metric, s.filter, r.shots,
       s.value, s.stderr, s.lower, s.upper, s.n, s.chance, s.higher_is_better, r.status, r.reason, r.source,
       r.dtype, r."limit", r.truncated, s.raw_value, s.total, s.clusters, s.fewshot_draws, s.fewshot_sd, r.isolation, r.code, r.parent,
       r.weights_digest, s.rule, r.compute_dtype, r.started_at, r.wall_s, r.conformance
FROM metrics s JOIN records r USING (run_id, task)
UNION ALL BY NAME
-- A task that failed has no numbers, and must not look as if it had never run.
SELECT r.run_id, r.finished_at, r.model, r.backend, r.device, r.gpu, r.suite, r.task, r.shots,
       0 AS n, r.status, r.reason, r.source, r.dtype, r."limit", r.truncated, r.code, r.parent, r.weights_digest,
       r.compute_dtype, r.started_at, r.wall_s, r.conformance
FROM records r WHERE r.status NOT IN ('ok', 'unverified')
  AND NOT EXISTS (SELECT 1 FROM speed_points p WHERE p.run_id = r.run_id AND p.task = r.task)
  AND NOT (r.suite = 'scoring' AND starts_with(r.task, 'scoring.')) -- beside another engine: it had no scores to lose
UNION ALL BY NAME
SELECT model, task, metric, filter, shots, value, raw_value, higher_is_better, 'ok' AS status, 'published' AS source
FROM published;

CREATE VIEW samples AS
SELECT s.run_id, r.model, s.task, s.doc_id, s.doc_hash, s.occurrence, s.request_hash, s.prompt_hash, s.metric, s.filter,
       s.value, s.weight, s.target, s.responses, s.filtered, s.cluster, s.gold, s.gold_logprob, s.length
FROM sample_rows s JOIN records r USING (run_id, task);

CREATE VIEW runs AS
SELECT run_id, any_value(model) AS model, any_value(suite) AS suite, any_value(backend) AS backend,
       any_value(device) AS device, any_value(gpu) AS gpu, any_value(driver) AS driver, any_value(dtype) AS dtype,
       any_value(host) AS host, any_value(platform) AS platform, any_value(versions) AS versions,
       any_value(git_sha) AS git_sha, any_value(weights_digest) AS weights_digest, any_value(seed) AS seed,
       any_value(parent) AS parent, any_value(command) AS command, min(coalesce(run_started_at, started_at)) AS started_at,
       max(finished_at) AS finished_at, count(*) AS tasks, count(*) FILTER (status NOT IN ('ok', 'unverified')) AS failed,
       any_value(compute_dtype) AS compute_dtype, any_value(processor) AS processor, any_value(w.wall_s) AS wall_s,
       any_value(source) AS source, any_value(contributed_by) AS contributed_by,
       count(*) FILTER (status = 'unverified') AS unverified
FROM records JOIN (
  -- From the start of each process that went on with the run to the last record that it wrote; speed runs by their points.
  SELECT run_id, sum(process_s) AS wall_s FROM (
    SELECT run_id, coalesce(epoch(max(finished_at)) - epoch(run_started_at), sum(wall_s)) AS process_s
    FROM records GROUP BY run_id, run_started_at
  ) GROUP BY run_id
) w USING (run_id) GROUP BY run_id;

-- Published beside measured: a row for each measured score and each published one of the same registry model, task and metric.
-- The verdict is made by harness/stats/reproduction.py. A model of which the store has two sets of weights is shown with their
-- digest; `registry_id` is the registry's own name of it.
CREATE VIEW reproduction AS
SELECT v.run_id, r.finished_at, r.model, r.suite, v.task, v.metric, v.filter, r.shots, s.value AS measured, s.lower, s.upper,
       s.n, s.total, v.published, v.printed, v.origin, v.protocol, v.published_shots, v.difference, v.difference_lower,
       v.difference_upper, v.margin, v.margin_basis, v.verdict, v.needs_n, v.reason, r.subject AS registry_id
FROM verdicts v JOIN records r USING (run_id, task) JOIN metrics s USING (run_id, task, metric, filter);
