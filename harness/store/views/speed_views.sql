-- Speed for readers: part of minizoo's interface, as the views of harness/store/views.sql are.

CREATE VIEW trials AS
SELECT t.run_id, r.finished_at, r.model, r.backend, r.device, r.gpu, r.dtype, p.workload, p.point, p.batch, p.rate, p.weights,
       p.valid, t.task, t.trial, t.phase, t.cluster, t.request, t.input_tokens, t.wanted_tokens,
       len(t.token_s) AS output_tokens, t.submit_s, t.start_s, t.token_s, t.energy_window, t.window_j
FROM trial_rows t JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task);

CREATE VIEW speed AS
SELECT s.run_id, r.finished_at, r.model, r.backend, r.device, r.gpu, r.dtype, p.workload, s.task, p.point, p.input_tokens,
       p.output_tokens, p.batch, p.rate, p.weights, p.power_capped, s.metric, s.statistic, s.value, s.lower, s.upper, s.n,
       s.confidence, d.unit, d.higher_is_better, s.refused, p.valid, p.reasons, p.reason_codes, p.notes, p.note_codes,
       r.status, r.source, s.rule, r.compute_dtype, r.contributed_by
FROM speed_statistics s JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task)
     LEFT JOIN speed_definitions d USING (metric);

CREATE VIEW speed_ratios AS
SELECT c.run_id, r.finished_at, r.model, coalesce(o.model, c.against) AS against, r.backend, r.device, r.gpu,
       r.dtype, p.workload, p.point, c.mode, c.batch, c.against_batch, c.memory_budget, c.metric, c.ratio, c.lower, c.upper,
       c.p_value, c.n, c.against_n, c.seed, c.resamples,
       c.valid AND p.valid AND coalesce(o.valid, true) AND (r.source <> 'contributed' OR c.rule IS NOT NULL) AS valid,
       p.weights, c.against_run_id, c.task, c.rule, r.source, r.contributed_by
FROM speed_comparisons c JOIN records r USING (run_id, task) JOIN speed_points p USING (run_id, task)
     LEFT JOIN (
       -- Each side of a pair is a run of its own. A side that was found wanting since takes the ratio with it, and a ratio that
       -- somebody gave counts where the trials of both sides gave it here.
       SELECT run_id, any_value(r.model) AS model, bool_and(p.valid) AS valid
       FROM records r LEFT JOIN speed_points p USING (run_id, task) GROUP BY run_id
     ) o ON o.run_id = c.against_run_id;
