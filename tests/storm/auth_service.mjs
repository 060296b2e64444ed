// The auth service of the reconnect storm: verifies HS256 tokens with the secret in the file it is given, as POST
// /api/v1/auth/verify asks, after so many milliseconds. Says {"port"}, and for each line of input what it has been asked
// since the last one: calls, different tokens, refused ones, and the most that were open at once.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const secret = readFileSync(process.argv[2], 'utf8').trim();
const delayMs = Number(process.argv[3] ?? 0);
let tally;
let open = 0;
const reset = () => (tally = { calls: 0, refused: 0, most_open: 0, tokens: new Set() });
reset();

function userOf(token) {
    const [header, claims, signature] = token.split('.');
    const expected = createHmac('sha256', secret).update(`${header}.${claims}`).digest();
    const given = Buffer.from(signature ?? '', 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
        return null;
    const { sub, exp } = JSON.parse(Buffer.from(claims, 'base64url'));
    return exp * 1000 > Date.now() ? { id: sub, isActive: true, roles: ['user'] } : null;
}

const server = createServer((request, response) => {
    let body = '';
    tally.most_open = Math.max(tally.most_open, ++open);
    response.once('close', () => open--);
    request.setEncoding('utf8').on('data', piece => (body += piece)).on('end', () => {
        const { token } = JSON.parse(body);
        const user = userOf(token);
        tally.calls++;
        tally.tokens.add(token);
        tally.refused += user ? 0 : 1;
        setTimeout(() => response.writeHead(user ? 200 : 401, { 'Content-Type': 'application/json' })
            .end(JSON.stringify(user ? { user } : {})), delayMs);
    });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
createInterface({ input: process.stdin }).on('line', () => {
    console.log(JSON.stringify({ ...tally, tokens: tally.tokens.size }));
    reset();
}).once('close', () => process.exit());
