-- Beside slurm.conf, which has JobSubmitPlugins=lua: holds each big job until firebreak-watch releases it.
-- A small job passes. Tried with Slurm 22.05.

local NODES_MIN = 4 -- a job of so many nodes is big
local GPUS_MIN = 8 -- or one of so many GPUs
local MARK = "firebreak" -- in the AdminComment, which users cannot change
local OPERATORS = { [0] = true, [64030] = true } -- uids of root and of slurm (Debian: 64030), by which firebreak-watch runs

-- A field that was not given is nil or one of the four highest numbers.
local function number(value, otherwise)
	if value == nil or value > 4294967000 then
		return otherwise
	end
	return value
end

-- "gres:gpu", "gres:gpu:4", "gres/gpu:h100:4,gres/gpu:a100:2"
local function gpus(text)
	local count = 0
	for each in string.gmatch(text or "", "[^,]+") do
		if string.find(each, "gpu", 1, true) then
			count = count + tonumber(string.match(each, "[:=](%d+)$") or 1)
		end
	end
	return count
end

local function is_big(job)
	local nodes = number(job.min_nodes, 1)
	local count = gpus(job.tres_per_node) * nodes + gpus(job.tres_per_job) + gpus(job.tres_per_socket) * nodes
	return nodes >= NODES_MIN or count + gpus(job.tres_per_task) * number(job.num_tasks, nodes) >= GPUS_MIN
end

function slurm_job_submit(job, partitions, uid)
	if not is_big(job) then
		return slurm.SUCCESS
	end
	if job.priority == 0 then
		slurm.log_user("a big job waits for the battery anyway: submit it without --hold")
		return slurm.ERROR
	end
	job.priority = 0
	job.admin_comment = MARK
	return slurm.SUCCESS
end

-- Else a user would release a job that waits, or make a small one big.
function slurm_job_modify(job, before, partitions, uid)
	if OPERATORS[uid] then
		return slurm.SUCCESS
	end
	local is_marked = string.sub(before.admin_comment or "", 1, #MARK) == MARK
	if is_marked and job.priority ~= slurm.NO_VAL or is_big(job) then
		return slurm.ESLURM_ACCESS_DENIED
	end
	return slurm.SUCCESS
end

return slurm.SUCCESS
