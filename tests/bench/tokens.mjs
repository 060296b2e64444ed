// node tokens.mjs HS256|ES256 COUNT FOLDER SECRET-FILE: writes FOLDER/tokens.ALG, a token of a user of its own in each
// line, and for ES256 the key that they are verified with, FOLDER/public.pem.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const [algorithm, count, folder, secretFile] = process.argv.slice(2);
const base64url = value => Buffer.from(JSON.stringify(value)).toString('base64url');
const secret = readFileSync(secretFile, 'utf8').trim();
const pair = algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : null;
const signature = text => pair
    ? sign('sha256', Buffer.from(text), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    : createHmac('sha256', secret).update(text).digest('base64url');
const exp = Math.floor(Date.now() / 1000) + 3600;
const lines = Array.from({ length: Number(count) }, (_, i) => {
    const text = `${base64url({ alg: algorithm, typ: 'JWT' })}.${base64url({ sub: `bench${i}`, email: `bench${i}@example.com`, roles: ['user'], exp })}`;
    return `${text}.${signature(text)}`;
});
writeFileSync(`${folder}/tokens.${algorithm}`, lines.join('\n'));
if (pair)
    writeFileSync(`${folder}/public.pem`, pair.publicKey.export({ type: 'spki', format: 'pem' }));
