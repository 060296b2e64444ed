// Certificates for tests, made by the openssl command: an authority, and certificates that it has signed.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

export const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const date = days => `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\..*/g, '')}Z`;

// All files lie in `folder`; each maker returns the paths and the certificate's text.
export class Authority {
    constructor(folder, name = 'ca') {
        this.folder = folder;
        this.file = join(folder, `${name}.crt`);
        this.key = join(folder, `${name}.key`);
        openssl('req', '-x509', ...EC, '-keyout', this.key, '-out', this.file, '-days', '30', '-subj', `/CN=${name}`,
            '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
        this.text = readFileSync(this.file, 'utf8');
    }

    // names: `a.example`, `*.a.example`, `127.0.0.1`; days < 0: expired; begin: in so many days.
    issue(file, { names = [`${file}.example`], days = 40, begin = 0, key = EC, usage = 'serverAuth' } = {}) {
        const path = end => join(this.folder, `${file}.${end}`);
        writeFileSync(path('ext'), `subjectAltName=${names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')}\n`
            + `extendedKeyUsage=${usage}\nbasicConstraints=CA:FALSE\n`);
        openssl('req', ...key, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${names[0]}`);
        const dated = days < 0 ? this.#dated(path, '20200101000000Z', '20200201000000Z')
            : begin > 0 ? this.#dated(path, date(begin), date(begin + days)) : ['x509', '-req', '-in', path('csr'), '-CA', this.file, '-CAkey',
            this.key, '-CAcreateserial', '-days', String(days), '-extfile', path('ext'), '-out', path('crt')];
        openssl(...dated);
        return { cert: path('crt'), key: path('key'), text: readFileSync(path('crt'), 'utf8'),
            keyText: readFileSync(path('key'), 'utf8') };
    }

    // `openssl x509` of Debian 12 can't date back; `openssl ca` can.
    #dated(path, start, end) {
        writeFileSync(path('db'), '');
        writeFileSync(path('conf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${path('db')}\nnew_certs_dir=${this.folder}\n`
            + `rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`);
        return ['ca', '-batch', '-config', path('conf'), '-cert', this.file, '-keyfile', this.key, '-in', path('csr'), '-out',
            path('crt'), '-notext', '-extfile', path('ext'), '-startdate', start, '-enddate', end];
    }
}
