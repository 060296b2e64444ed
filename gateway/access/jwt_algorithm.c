#include "gateway/access/jwt_algorithm.h"

static const struct jwt_algorithm_row rows[JWT_ALGORITHM_COUNT] = {
    [JWT_HS256] = {"HS256", "SHA256", JWT_SECRET, false},
    [JWT_HS384] = {"HS384", "SHA384", JWT_SECRET, false},
    [JWT_HS512] = {"HS512", "SHA512", JWT_SECRET, false},
    [JWT_RS256] = {"RS256", "SHA256", JWT_RSA, false},
    [JWT_RS384] = {"RS384", "SHA384", JWT_RSA, false},
    [JWT_RS512] = {"RS512", "SHA512", JWT_RSA, false},
    [JWT_PS256] = {"PS256", "SHA256", JWT_RSA, true},
    [JWT_PS384] = {"PS384", "SHA384", JWT_RSA, true},
    [JWT_PS512] = {"PS512", "SHA512", JWT_RSA, true},
    [JWT_ES256] = {"ES256", "SHA256", JWT_P256, false},
    [JWT_ES384] = {"ES384", "SHA384", JWT_P384, false},
    [JWT_ES512] = {"ES512", "SHA512", JWT_P521, false},
    [JWT_EDDSA] = {"EdDSA", NULL, JWT_ED25519, false},
};

const struct jwt_algorithm_row *jwt_algorithm_row(enum jwt_algorithm algorithm) {
    return &rows[algorithm];
}

int jwt_algorithm_find(struct span name) {
    for (int i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        if (span_is(name, rows[i].name)) {
            return i;
        }
    }
    return -ENOENT;
}

unsigned jwt_algorithm_set(enum jwt_kind kind) {
    unsigned set = 0;

    for (unsigned i = 0; i < JWT_ALGORITHM_COUNT; i++) {
        set |= rows[i].kind == kind ? JWT_ALGORITHM_BIT(i) : 0;
    }
    return set;
}
