-- One step: if these rows still have these values, put those and take out others.
--
-- KEYS   the rows to compare, to put, to take out, and to take out and count, in this order
-- ARGV   how many of each of the first three; 'again' at a second try; the values to compare, ''
--        for none; then each value to put and its milliseconds
--
-- -1 where a row is another by now, else how many of the last were there. Puts come before what is
-- taken out, so that an engine whose memory is full refuses the whole.
local compared, put, gone = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first = compared + 1
if ARGV[4] == 'again' and put > 0 and redis.call('GET', KEYS[first]) == ARGV[4 + first] then
  return 0 -- The first try was made; its answer was lost.
end
for i = 1, compared do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[4 + i] then return -1 end
end
for i = 0, put - 1 do
  local value = 4 + first + 2 * i
  redis.call('SET', KEYS[first + i], ARGV[value], 'PX', ARGV[value + 1])
end
local counted = compared + put + gone
for i = first + put, counted do redis.call('DEL', KEYS[i]) end
local taken = 0
for i = counted + 1, #KEYS do taken = taken + redis.call('DEL', KEYS[i]) end
return taken
