-- Calls local functions of job_submit.lua: a line of the input is NAME, a tab, and the argument.
slurm = { SUCCESS = 0 }
local text = io.open(arg[1]):read("a")
local ending = "return slurm.SUCCESS\n*$"
text = string.sub(text, 1, string.find(text, ending) - 1)
local own = assert(load(text .. "return { devices = devices, at_once = at_once, size_of = size_of, big = is_big }"))()
own.is_big = function(fields)
	return own.big((own.size_of(load("return " .. fields)()))) and 1 or 0
end
for line in io.lines() do
	local name, given = string.match(line, "^(%S+)\t(.*)$")
	local found = own[name](given)
	print(found == math.huge and -1 or math.tointeger(found) or found)
end
