// Through the gateway: node send_hint.js /run/firebreak-upstream/upstream.sock KEYFILE SOURCE WATTS SECONDS
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const readline = require('readline');

function fail(line) {
  console.error(line);
  process.exit(1);
}

const [path, keyFile, source, watts, seconds] = process.argv.slice(2);
if (process.argv.length !== 7) fail('node send_hint.js /run/firebreak-upstream/upstream.sock KEYFILE SOURCE WATTS SECONDS');
if (!fs.existsSync(keyFile)) fail(`${keyFile}: no such file`);
const key = Buffer.from(fs.readFileSync(keyFile, 'ascii').trim(), 'hex');
if (key.length !== 32) fail(`${keyFile}: allowed are 64 hex digits`);

// The MAC covers the 56 bytes of the fixed layout, also for a message in JSON.
function sign(hint) {
  const data = Buffer.alloc(56);
  data.write('FBH1', 0);
  data.write(hint.source, 4);
  Buffer.from(hint.nonce, 'hex').copy(data, 20);
  data.writeBigUInt64LE(BigInt(hint.sequence), 28);
  data.writeBigUInt64LE(BigInt(hint.sent_ms), 36);
  data.writeUInt8(3, 44);  // kind: grid_cap
  data.writeUInt8(4, 45);  // quantity: import_W_max
  data.writeUInt16LE(0, 46);
  data.writeInt32LE(hint.value_W, 48);
  data.writeUInt32LE(hint.valid_ms, 52);
  return crypto.createHmac('sha256', key).update(data).digest('hex');
}

const link = net.connect(path);
const say = (message) => link.write(JSON.stringify(message) + '\n');
link.on('error', (error) => fail(`${path}: ${error.code}; does firebreak doors local run?`));
link.on('end', () => fail('the gateway has closed the connection'));
say({hello: source});
readline.createInterface({input: link}).on('line', (line) => {
  const answer = JSON.parse(line);
  if ('code' in answer && !('granted_W' in answer)) {  // from the gateway itself, such as: no answer, wrong key
    fail(`${answer.label} ${answer.name}: ${answer.sentence} ${answer.remedy}`);
  }
  if ('code' in answer) {
    console.log(`${answer.label} ${answer.name}: in force ${answer.granted_W} W for ${answer.valid_ms} ms, ` +
      `available ${answer.available_low_W} .. ${answer.available_high_W} W, now ${answer.setpoint_W} W`);
    process.exit(answer.granted ? 0 : 1);
  }
  const hint = {source, nonce: answer.nonce, sequence: answer.sequence + 1, sent_ms: answer.uptime_ms,
    quantity: 'import_W_max', value_W: Number(watts), valid_ms: Number(seconds) * 1000};
  say({...hint, mac: sign(hint)});
});
