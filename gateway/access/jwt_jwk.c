#include "gateway/access/jwt_jwk.h"

#include "gateway/access/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define TEXT_MAX       64
#define MODULUS_MAX    1024
#define EXPONENT_MAX   8
#define COORDINATE_MAX 66
#define ED25519_BYTES  32

#define UNKNOWN_KIND                                                                               \
    "is of a kind that is not known here; RSA, EC (P-256, P-384, P-521) and OKP (Ed25519) are"

static const struct {
    const char *name; /* `crv` */
    const char *group;
    size_t bytes; /* of a coordinate: its full length, leading zeros and all */
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

/* A maker leaves *why alone when it has nothing better to say than that a member is missing or wrong. */
typedef int key_maker(struct json_value jwk, EVP_PKEY **out, const char **why);

static key_maker make_rsa, make_ec, make_okp;

static const struct {
    const char *type; /* `kty` */
    key_maker *make;
} makers[] = {{"RSA", make_rsa}, {"EC", make_ec}, {"OKP", make_okp}};

static bool for_signatures(struct json_value jwk);
static bool allows_verifying(struct json_value jwk);
static int known_algorithms(struct json_value jwk, unsigned *set);
static int find_maker(struct json_value jwk, key_maker **out);
static int read_id(struct json_value jwk, char *id, size_t size, struct span *out);
static bool text_member(struct json_value jwk, const char *name, char text[TEXT_MAX + 1]);
static long bytes_member(struct json_value jwk, const char *name, unsigned char *out, size_t size);
static int from_parameters(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **out);

int jwt_jwk_read(struct json_value jwk, struct jwt_key **out, const char **why) {
    char id_bytes[JWT_KEY_ID_MAX];
    struct json_value private_part;
    struct span id = {"", 0};
    struct jwt_key *key = NULL;
    EVP_PKEY *pkey = NULL;
    key_maker *make = NULL;
    unsigned algorithms = 0;
    int error;

    if (jwk.type != JSON_OBJECT) {
        *why = "is no object";
        return -EINVAL;
    }
    if (!for_signatures(jwk)) {
        return -ENOTSUP;
    }
    if (find_maker(jwk, &make) != 0 || known_algorithms(jwk, &algorithms) != 0) {
        *why = UNKNOWN_KIND;
        return -ENOTSUP;
    }
    *why = "lacks a member, or has a malformed one";
    if (json_get(jwk, "d", &private_part) != 0) {
        *why = "is a private key; the gateway needs only the public part";
        return -EINVAL;
    }
    if (read_id(jwk, id_bytes, sizeof(id_bytes), &id) != 0) {
        *why = "has a kid that is no text of 1 to 256 bytes";
        return -EINVAL;
    }
    error = make(jwk, &pkey, why);
    if (error == -ENOTSUP) {
        *why = UNKNOWN_KIND;
    }
    if (error == 0) {
        error = jwt_key_new(pkey, id, &key, why);
    }
    ERR_clear_error();
    if (error != 0) {
        return error;
    }
    jwt_key_restrict(key, algorithms);
    if (jwt_key_algorithms(key) == 0) {
        jwt_key_free(key);
        *why = "names an algorithm that is not one of its kind";
        return -EINVAL;
    }
    *out = key;
    return 0;
}

/* `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3): absent, or they allow it. */
static bool for_signatures(struct json_value jwk) {
    char use[TEXT_MAX + 1];
    struct json_value value;

    if (json_get(jwk, "use", &value) != 0 &&
        (!text_member(jwk, "use", use) || strcmp(use, "sig") != 0)) {
        return false;
    }
    return json_get(jwk, "key_ops", &value) == 0 || allows_verifying(jwk);
}

static bool allows_verifying(struct json_value jwk) {
    char text[TEXT_MAX];
    struct json_value operations, element;
    size_t cursor = 0;

    if (json_get(jwk, "key_ops", &operations) != 1 || operations.type != JSON_ARRAY) {
        return false;
    }
    while (json_next_element(operations, &cursor, &element) == 1) {
        long length = json_unescape(element, text, sizeof(text));
        if (length >= 0 && span_is((struct span){text, (size_t)length}, "verify")) {
            return true;
        }
    }
    return false;
}

static int known_algorithms(struct json_value jwk, unsigned *set) {
    char name[TEXT_MAX + 1];
    struct json_value value;
    int found;

    if (json_get(jwk, "alg", &value) == 0) {
        *set = JWT_ALGORITHMS_ALL;
        return 0;
    }
    found = text_member(jwk, "alg", name) ? jwt_algorithm_find(span_of(name)) : -ENOENT;
    if (found < 0) {
        return -ENOTSUP;
    }
    *set = JWT_ALGORITHM_BIT((unsigned)found);
    return 0;
}

static int find_maker(struct json_value jwk, key_maker **out) {
    char type[TEXT_MAX + 1];

    for (size_t i = 0; text_member(jwk, "kty", type) && i < ARRAY_LENGTH(makers); i++) {
        if (strcmp(type, makers[i].type) == 0) {
            *out = makers[i].make;
            return 0;
        }
    }
    return -ENOTSUP; /* `oct` too: a secret that can be fetched is none */
}

static int read_id(struct json_value jwk, char *id, size_t size, struct span *out) {
    struct json_value value;
    int found = json_get(jwk, "kid", &value);
    long length;

    if (found == 0) {
        return 0;
    }
    length = found == 1 ? json_unescape(value, id, size) : -EINVAL;
    if (length <= 0) {
        return -EINVAL;
    }
    *out = (struct span){id, (size_t)length};
    return 0;
}

static int make_rsa(struct json_value jwk, EVP_PKEY **out, const char **why) {
    unsigned char modulus[MODULUS_MAX], exponent[EXPONENT_MAX];
    long modulus_bytes = bytes_member(jwk, "n", modulus, sizeof(modulus));
    long exponent_bytes = bytes_member(jwk, "e", exponent, sizeof(exponent));
    BIGNUM *n = NULL, *e = NULL;
    OSSL_PARAM_BLD *build = NULL;
    int error = -ENOMEM;

    (void)why;
    if (modulus_bytes <= 0 || exponent_bytes <= 0) {
        return -EINVAL;
    }
    n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
    e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
    build = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        error = from_parameters("RSA", build, out);
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return error;
}

static int make_ec(struct json_value jwk, EVP_PKEY **out, const char **why) {
    unsigned char point[1 + 2 * COORDINATE_MAX];
    char curve[TEXT_MAX + 1];
    OSSL_PARAM_BLD *build = NULL;
    size_t found = 0, bytes;
    int error = -ENOMEM;

    if (!text_member(jwk, "crv", curve)) {
        return -EINVAL;
    }
    while (found < ARRAY_LENGTH(curves) && strcmp(curve, curves[found].name) != 0) {
        found++;
    }
    if (found == ARRAY_LENGTH(curves)) {
        return -ENOTSUP;
    }
    bytes = curves[found].bytes;
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    if (bytes_member(jwk, "x", point + 1, bytes) != (long)bytes ||
        bytes_member(jwk, "y", point + 1 + bytes, bytes) != (long)bytes) {
        return -EINVAL;
    }
    build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[found].group,
                                        0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes) ==
            1) {
        error = from_parameters("EC", build, out);
    }
    OSSL_PARAM_BLD_free(build);
    if (error == -EINVAL) {
        *why = "is an EC key whose point is not on its curve";
    }
    return error;
}

static int make_okp(struct json_value jwk, EVP_PKEY **out, const char **why) {
    unsigned char bytes[ED25519_BYTES];
    char curve[TEXT_MAX + 1];
    EVP_PKEY *pkey;

    (void)why;
    if (!text_member(jwk, "crv", curve) || strcmp(curve, "Ed25519") != 0) {
        return -ENOTSUP;
    }
    if (bytes_member(jwk, "x", bytes, sizeof(bytes)) != ED25519_BYTES) {
        return -EINVAL;
    }
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes));
    if (pkey == NULL) {
        return -ENOMEM;
    }
    *out = pkey;
    return 0;
}

static bool text_member(struct json_value jwk, const char *name, char text[TEXT_MAX + 1]) {
    struct json_value value;
    long length = json_get(jwk, name, &value) == 1 ? json_unescape(value, text, TEXT_MAX) : -EINVAL;

    if (length < 0) {
        return false;
    }
    text[length] = '\0';
    return true;
}

/* The number of bytes; negative when the member is missing, no base64url, or longer than `size`. */
static long bytes_member(struct json_value jwk, const char *name, unsigned char *out, size_t size) {
    struct json_value value;

    /* No escapes: they are no base64url characters, so the decoder refuses them. */
    return json_get(jwk, name, &value) == 1 && value.type == JSON_STRING
               ? base64url_decode(value.text, out, size)
               : -EINVAL;
}

static int from_parameters(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **out) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *pkey = NULL;
    int error = -ENOMEM;

    if (context == NULL || parameters == NULL || EVP_PKEY_fromdata_init(context) != 1) {
        goto out;
    }
    error = -EINVAL;
    if (EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) == 1) {
        *out = pkey;
        error = 0;
    }
out:
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return error;
}
