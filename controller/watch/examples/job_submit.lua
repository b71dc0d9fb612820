-- Beside slurm.conf, which has JobSubmitPlugins=lua: holds each big job until firebreak-watch releases it.
-- A small job passes; a job of unknown size is big. Only the tasks of an array that may run at once count. A range
-- of nodes counts as its end, and a job without a number of nodes by its CPUs. Tried with Slurm 22.05.

local NODES_MIN = 4 -- a job of so many nodes is big
local GPUS_MIN = 8 -- or one of so many GPUs, slices of GPUs and other devices
local NODE_GPUS = 8 -- of each node of a job that gets whole nodes (--exclusive); 0 in a cluster without GPUs
local CPUS_MIN = 256 -- or of so many CPUs, as -n 512: those of NODES_MIN of your smallest nodes
local MARK = "firebreak" -- in the AdminComment, which users cannot change
local OPERATORS = { [0] = true, [64030] = true } -- uids of root and of slurm (Debian: 64030), by which firebreak-watch runs

-- Fields that make the size of a job. A field of 32 or 16 bits that is at or above its number was not given.
local NUMBERS = { min_nodes = 4294967000, max_nodes = 4294967000, min_cpus = 4294967000, num_tasks = 4294967000 }
local SHORT_NUMBERS = { cpus_per_task = 65534, ntasks_per_node = 65534, sockets_per_node = 65534, shared = 65534 }
local TEXTS = { "tres_per_job", "tres_per_node", "tres_per_socket", "tres_per_task", "array_inx" }

-- The size that is given, and whether there is any.
local function size_of(job)
	local size = {}
	for _, fields in ipairs({ NUMBERS, SHORT_NUMBERS }) do
		for name, none in pairs(fields) do
			if job[name] ~= nil and job[name] < none then
				size[name] = job[name]
			end
		end
	end
	for _, name in ipairs(TEXTS) do
		size[name] = job[name]
	end
	return size, next(size) ~= nil
end

-- Devices without a load, and what is no device. All others count, as do those of an unknown form.
local NO_LOAD = {}
for name in string.gmatch("nic craynetwork bandwidth lustre tmpdisk tmpfs scratch nvme ssd fuse rdma", "%a+") do
	NO_LOAD[name] = true
end
local NO_GRES = {}
for name in string.gmatch("cpu mem node billing energy vmem pages fs bb ic license", "%a+") do
	NO_GRES[name] = true
end

-- "gres:gpu", "gres:gpu:4", "gres/gpu:h100:4,gres/gpu:1g.5gb=2": the number of devices
local function devices(text)
	local count = 0
	for each in string.gmatch(text or "", "[^,]+") do
		local part = string.match(each, "^%s*(.-)%s*$")
		local what, number = string.match(part, "^(.-)[:=](%d+)$")
		local gres, rest = string.match(what or part, "^(gres[:/])(.*)$")
		local name, kind = string.match(rest or what or part, "^(%a[%w_.-]*)([:/]?.*)$")
		local is_plain = name and (kind == "" or string.match(kind, "^[:/][%w_.+-]+$"))
		if not gres and NO_GRES[string.match(part, "^[^:=/]*")] then
			number = 0
		elseif not is_plain then
			number = math.huge
		elseif NO_LOAD[string.lower(name)] then
			number = 0
		end
		count = count + tonumber(number or 1)
	end
	return count
end

-- Tasks that may run at once: "1,4-9" has 7, "0-9:2%4" has 4.
local function at_once(text)
	local count, most = 0, tonumber(string.match(text, "%%(%d+)$") or 0)
	for each in string.gmatch(string.match(text, "^[^%%]*"), "[^,]+") do
		local first, last, step = string.match(each, "^(%d+)%-?(%d*):?(%d*)$")
		if not first then
			return math.huge
		end
		count = count + math.floor(((tonumber(last) or first) - first) / (tonumber(step) or 1)) + 1
	end
	return most > 0 and math.min(most, count) or count
end

local function is_big(size)
	local nodes = math.max(size.min_nodes or 1, size.max_nodes or 1)
	local tasks = size.num_tasks or nodes * (size.ntasks_per_node or 1)
	if size.ntasks_per_node then
		nodes = math.max(nodes, math.ceil(tasks / size.ntasks_per_node))
	end
	local cpus = math.max(size.min_cpus or 1, tasks * (size.cpus_per_task or 1))
	local on_socket = devices(size.tres_per_socket)
	if not size.num_tasks then -- it is not known for a waiting job
		tasks = math.max(tasks, size.min_cpus or 1)
	end
	local count = math.max(
		devices(size.tres_per_job),
		devices(size.tres_per_node) * nodes,
		devices(size.tres_per_task) * tasks,
		on_socket > 0 and on_socket * (size.sockets_per_node or math.huge) * nodes or 0,
		size.shared == 0 and NODE_GPUS * nodes or 0
	)
	local times = size.copies or (size.array_inx and at_once(size.array_inx)) or 1
	return nodes * times >= NODES_MIN or count * times >= GPUS_MIN or cpus * times >= CPUS_MIN
end

function slurm_job_submit(job, partitions, uid)
	if not is_big((size_of(job))) then
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

-- Otherwise a user could release a waiting job, or make a small one big.
function slurm_job_modify(job, before, partitions, uid)
	if OPERATORS[uid] then
		return slurm.SUCCESS
	end
	local is_marked = string.sub(before.admin_comment or "", 1, #MARK) == MARK
	local size, is_resized = size_of(job)
	for name, value in pairs((size_of(before))) do
		size[name] = size[name] or value
	end
	-- For a waiting job, array_inx has only the new %N, and the old one is not known.
	local copies, most = before.array_task_cnt or 0, tonumber(size.array_inx or "0")
	size.copies = math.max(1, most and most > 0 and math.min(most, copies) or copies)
	-- A released job that begins in days would take the margin of others until then.
	local is_delayed = before.priority ~= 0 and (job.begin_time or 0) ~= 0
	if is_marked and (job.priority ~= slurm.NO_VAL or is_delayed) or is_resized and is_big(size) then
		return slurm.ESLURM_ACCESS_DENIED
	end
	return slurm.SUCCESS
end

return slurm.SUCCESS
