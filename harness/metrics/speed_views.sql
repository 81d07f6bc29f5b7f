-- From raw rows (table trial_rows: one a request, see harness/speed/trials.py) to what the metrics are made of.
-- Warm-up is left out here, once. What each metric is stands in harness/metrics/speed_metrics.yaml.

CREATE VIEW speed_requests AS
SELECT run_id, task, trial, cluster, request, input_tokens, wanted_tokens, len(token_s) AS output_tokens,
       submit_s, start_s, token_s[1] AS first_s, token_s[-1] AS last_s, energy_window, window_j
FROM trial_rows WHERE phase = 'trial' AND len(token_s) > 0;

-- A step is the moment at which tokens came out together: all sequences of one forward pass share its time.
CREATE VIEW speed_steps AS
SELECT run_id, task, trial, token_at AS step_s, max(gap) AS gap_s
FROM (SELECT run_id, task, trial, token_at, position,
             token_at - lag(token_at) OVER (PARTITION BY run_id, task, trial, request ORDER BY position) AS gap
      FROM (SELECT run_id, task, trial, request, unnest(token_s) AS token_at, generate_subscripts(token_s, 1) AS position
            FROM trial_rows WHERE phase = 'trial'))
WHERE position > 1
GROUP BY run_id, task, trial, token_at;

CREATE VIEW speed_trials AS
SELECT q.run_id, q.task, q.trial, count(*) AS requests, sum(q.input_tokens) AS input_tokens,
       sum(q.output_tokens) AS output_tokens, max(q.last_s) - min(q.submit_s) AS seconds,
       any_value(coalesce(p.ttft_limit, p.tpot_limit, p.e2e_limit)) IS NOT NULL AS has_limits,
       count(*) FILTER (coalesce(q.first_s - q.submit_s <= p.ttft_limit, true)
                    AND coalesce((q.last_s - q.first_s) / nullif(q.output_tokens - 1, 0) <= p.tpot_limit, true)
                    AND coalesce(q.last_s - q.submit_s <= p.e2e_limit, true)) AS good
FROM speed_requests q JOIN speed_points p USING (run_id, task)
GROUP BY q.run_id, q.task, q.trial;

CREATE VIEW speed_windows AS
SELECT run_id, task, energy_window, any_value(window_j) AS joules, sum(output_tokens) AS output_tokens
FROM speed_requests WHERE window_j IS NOT NULL
GROUP BY run_id, task, energy_window;
