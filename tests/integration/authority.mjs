// A certificate authority of a test's own, made by openssl(1), which can also issue what is expired or for somebody else.
//
//   const authority = makeAuthority(folder);              // authority.file: its certificate
//   const { key, cert } = authority.issue('127.0.0.1');   // PEM texts, for node:https
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

function openssl(...args) {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    assert.equal(status, 0, `openssl ${args.join(' ')}:\n${stderr}`);
}

const date = days => new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\..*/g, '') + 'Z';

let serial = 0;

export function makeAuthority(folder) {
    const name = `authority-${++serial}`;
    const path = end => join(folder, `${name}.${end}`);
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...newKey, '-keyout', path('key'), '-out', path('pem'), '-subj', `/CN=${name}`, '-days', '2');
    writeFileSync(path('index'), '');
    writeFileSync(path('index.attr'), 'unique_subject = no\n');
    writeFileSync(path('cnf'), `[ca]\ndefault_ca = it\n[it]\nnew_certs_dir = ${folder}\ndatabase = ${path('index')}\n`
        + `rand_serial = yes\ndefault_md = sha256\npolicy = any\ncopy_extensions = copy\n[any]\ncommonName = supplied\n`);
    return {
        file: path('pem'),
        issue(host, { from = -1, to = 1 } = {}) {
            const leaf = path(`leaf-${++serial}`);
            openssl('req', '-new', ...newKey, '-keyout', `${leaf}.key`, '-out', `${leaf}.csr`, '-subj', '/CN=service',
                '-addext', `subjectAltName=${isIP(host) ? 'IP' : 'DNS'}:${host}`);
            openssl('ca', '-batch', '-notext', '-config', path('cnf'), '-cert', path('pem'), '-keyfile', path('key'),
                '-in', `${leaf}.csr`, '-out', `${leaf}.pem`, '-startdate', date(from), '-enddate', date(to));
            return { key: readFileSync(`${leaf}.key`, 'utf8'), cert: readFileSync(`${leaf}.pem`, 'utf8') };
        },
    };
}
