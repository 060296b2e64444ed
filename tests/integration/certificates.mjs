// Certificates for tests, made by the openssl command: an authority, and certificates that it has signed.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

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

    // names: `a.example`, `*.a.example`; days < 0: expired.
    issue(file, { names = [`${file}.example`], days = 40, key = EC, usage = 'serverAuth' } = {}) {
        const path = end => join(this.folder, `${file}.${end}`);
        writeFileSync(path('ext'), `subjectAltName=${names.map(name => `DNS:${name}`).join(',')}\n`
            + `extendedKeyUsage=${usage}\nbasicConstraints=CA:FALSE\n`);
        openssl('req', ...key, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${names[0]}`);
        const time = days < 0 ? ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z'] : [];
        const dated = time.length > 0 ? this.#dated(path) : ['x509', '-req', '-in', path('csr'), '-CA', this.file, '-CAkey',
            this.key, '-CAcreateserial', '-days', String(days), '-extfile', path('ext'), '-out', path('crt')];
        openssl(...dated);
        return { cert: path('crt'), key: path('key'), text: readFileSync(path('crt'), 'utf8'),
            keyText: readFileSync(path('key'), 'utf8') };
    }

    // `openssl x509` of Debian 12 can't date back; `openssl ca` can.
    #dated(path) {
        writeFileSync(path('db'), '');
        writeFileSync(path('conf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${path('db')}\nnew_certs_dir=${this.folder}\n`
            + `rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`);
        return ['ca', '-batch', '-config', path('conf'), '-cert', this.file, '-keyfile', this.key, '-in', path('csr'), '-out',
            path('crt'), '-notext', '-extfile', path('ext'), '-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
    }
}
