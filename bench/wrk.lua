-- wrk's requests, one after another, from a file: a path, an agent and a client on each line.
-- At the end it tells what it saw in one line of JSON.

local requests, position = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, agent, client = line:match("^(.-)\t(.-)\t(.*)$")
    local headers = {["Host"] = "t.example.com", ["User-Agent"] = agent, ["X-Forwarded-For"] = client}
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
