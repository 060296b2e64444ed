/* Public keys: every algorithm by PEM and by JWK, the examples of RFC 7515 and 8037, and the attacks of RFC 8725
 * that public keys invite. */
#include "tests/unit/jwt_fixture.h"

#include "gateway/access/jwt_hmac.h"
#include "gateway/access/jwt_jwk.h"
#include "tests/unit/unit.h"

#define BAD (int)ERROR_INVALID_TOKEN

static char token[JWT_TOKEN_MAX];
static char error[512];
static EVP_PKEY *keys[JWT_ED25519 + 1]; /* made once: RSA keys take their time */

static void make_keys(void) {
    for (int kind = JWT_RSA; kind <= JWT_ED25519; kind++) {
        keys[kind] = jwt_make_key((enum jwt_kind)kind);
    }
}

static void free_keys(void) {
    for (int kind = JWT_RSA; kind <= JWT_ED25519; kind++) {
        EVP_PKEY_free(keys[kind]);
    }
}

static struct auth *auth_by_pem(enum jwt_kind kind, const char *algorithms) {
    struct options options = jwt_options();
    char *pem = jwt_pem(keys[kind], false);
    options.jwt_algorithms = algorithms;
    struct auth *auth = jwt_auth(&options, pem, false, error, sizeof(error));
    ck_assert_msg(auth != NULL, "%s", error);
    free(pem);
    return auth;
}

static struct auth *auth_by_jwks(const char *jwks) {
    struct options options = jwt_options();
    struct auth *auth = jwt_auth(&options, jwks, true, error, sizeof(error));
    ck_assert_msg(auth != NULL, "%s", error);
    return auth;
}

static int judge(struct auth *auth, struct span text) {
    return jwt_verdict(auth, text);
}

/* Each algorithm under its own name, and under every other name with the same bytes. */
static void check_all_names(struct auth *auth, enum jwt_kind kind) {
    for (int used = JWT_HMAC_COUNT; used < JWT_ALGORITHM_COUNT; used++) {
        if (jwt_algorithm_row((enum jwt_algorithm)used)->kind != kind) {
            continue;
        }
        for (int named = 0; named < JWT_ALGORITHM_COUNT; named++) {
            struct span text = jwt_sign(token, keys[kind], (enum jwt_algorithm)used,
                                        jwt_header((enum jwt_algorithm)named, NULL));
            int expected = named == used ? JWT_ACCEPTED : BAD;
            ck_assert_msg(judge(auth, text) == expected, "signed as %s, named %s",
                          jwt_algorithm_row((enum jwt_algorithm)used)->name,
                          jwt_algorithm_row((enum jwt_algorithm)named)->name);
        }
    }
}

START_TEST(each_algorithm_is_accepted_under_its_own_name_only) {
    enum jwt_kind kind = (enum jwt_kind)_i;
    struct auth *auth = auth_by_pem(kind, "");
    check_all_names(auth, kind);
    auth_free(auth);

    char *jwk = jwt_jwk(keys[kind], kind, "");
    char jwks[4096];
    (void)snprintf(jwks, sizeof(jwks), "{\"keys\":[%s]}", jwk);
    auth = auth_by_jwks(jwks);
    check_all_names(auth, kind);
    auth_free(auth);
    free(jwk);
}
END_TEST

START_TEST(another_key_of_the_same_kind_is_refused) {
    enum jwt_kind kind = (enum jwt_kind)_i;
    struct auth *auth = auth_by_pem(kind, "");
    EVP_PKEY *other = jwt_make_key(kind);
    for (int i = JWT_HMAC_COUNT; i < JWT_ALGORITHM_COUNT; i++) {
        enum jwt_algorithm algorithm = (enum jwt_algorithm)i;
        if (jwt_algorithm_row(algorithm)->kind == kind) {
            struct span text = jwt_sign(token, other, algorithm, jwt_header(algorithm, NULL));
            ck_assert_int_eq(judge(auth, text), BAD);
        }
    }
    EVP_PKEY_free(other);
    auth_free(auth);
}
END_TEST

START_TEST(only_configured_algorithms_of_a_key_are_accepted) {
    struct auth *auth = auth_by_pem(JWT_RSA, "RS512, PS256");
    for (int i = JWT_RS256; i <= JWT_PS512; i++) {
        enum jwt_algorithm algorithm = (enum jwt_algorithm)i;
        struct span text = jwt_sign(token, keys[JWT_RSA], algorithm, jwt_header(algorithm, NULL));
        ck_assert_int_eq(judge(auth, text), i == JWT_RS512 || i == JWT_PS256 ? JWT_ACCEPTED : BAD);
    }
    auth_free(auth);
}
END_TEST

/* The classic: a verifier that takes the public key for a secret when the token says HS256. */
START_TEST(the_public_key_is_no_secret) {
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"HS384\"}",
                                          "{\"alg\":\"HS512\"}"};
    enum jwt_kind kind = (enum jwt_kind)_i;
    char *pem = jwt_pem(keys[kind], false);
    struct options options = jwt_options();
    struct options with_secret = options;
    with_secret.jwt_secret = "another secret, which the attacker does not know";
    with_secret.jwt_algorithms = "";
    struct auth *auths[] = {jwt_auth(&options, pem, false, error, sizeof(error)),
                            jwt_auth(&with_secret, pem, false, error, sizeof(error))};
    size_t lengths[] = {strlen(pem), strlen(pem) - 1};
    for (size_t a = 0; a < ARRAY_LENGTH(auths); a++) {
        ck_assert_ptr_nonnull(auths[a]);
        for (size_t l = 0; l < ARRAY_LENGTH(lengths); l++) {
            struct jwt_hmac *hmac = NULL;
            ck_assert_int_eq(jwt_hmac_new((struct span){pem, lengths[l]}, &hmac), 0);
            for (int i = 0; i < JWT_HMAC_COUNT; i++) {
                unsigned char signature[JWT_HMAC_MAX_BYTES];
                size_t used = jwt_unsigned(token, headers[i], JWT_GOOD_CLAIMS);
                ck_assert_int_eq(jwt_hmac_sign(hmac, (enum jwt_algorithm)i,
                                               (struct span){token, used}, signature),
                                 0);
                ck_assert_int_eq(
                    judge(auths[a], jwt_with_signature(token, used, signature,
                                                       jwt_hmac_bytes((enum jwt_algorithm)i))),
                    BAD);
            }
            jwt_hmac_free(hmac);
        }
        auth_free(auths[a]);
    }
    free(pem);
}
END_TEST

START_TEST(secret_and_public_key_can_stand_side_by_side) {
    char *pem = jwt_pem(keys[JWT_P256], false);
    struct options options = jwt_options();
    options.jwt_secret = "0123456789abcdef0123456789abcdef";
    struct auth *auth = jwt_auth(&options, pem, false, error, sizeof(error));
    struct identity alice = {.user_id = "alice"};
    char *minted = NULL;
    ck_assert_ptr_nonnull(auth);
    ck_assert_int_eq(auth_mint(auth, &alice, JWT_NOW_S * 1000, 60, &minted), 0);
    ck_assert_int_eq(judge(auth, span_of(minted)), JWT_ACCEPTED);
    ck_assert_int_eq(
        judge(auth, jwt_sign(token, keys[JWT_P256], JWT_ES256, jwt_header(JWT_ES256, NULL))),
        JWT_ACCEPTED);
    auth_free(auth);
    auth = auth_by_pem(JWT_P256, "");
    ck_assert_int_eq(judge(auth, span_of(minted)), BAD);
    free(minted);
    minted = NULL;
    ck_assert_int_eq(auth_mint(auth, &alice, JWT_NOW_S * 1000, 60, &minted), -ENOKEY);
    ck_assert_ptr_null(minted);
    auth_free(auth);
    free(pem);
}
END_TEST

/* --- signatures that are none --- */

static void replace_number(unsigned char *signature, size_t half, unsigned which,
                           const char *with) {
    BIGNUM *order = NULL;
    if (strcmp(with, "order") == 0) {
        ck_assert_int_eq(EVP_PKEY_get_bn_param(keys[JWT_P256], OSSL_PKEY_PARAM_EC_ORDER, &order),
                         1);
    } else {
        order = BN_new();
        BN_set_word(order, (BN_ULONG)atoi(with));
    }
    ck_assert_int_eq(BN_bn2binpad(order, signature + which * half, (int)half), (int)half);
    BN_free(order);
}

START_TEST(an_ecdsa_signature_has_one_form_and_no_trivial_numbers) {
    struct auth *auth = auth_by_pem(JWT_P256, "");
    const char *header = jwt_header(JWT_ES256, NULL);
    unsigned char good[1024], bad[1024];
    size_t used = jwt_unsigned(token, header, JWT_GOOD_CLAIMS);
    size_t length = jwt_signature(keys[JWT_P256], JWT_ES256, (struct span){token, used}, 'r', good);
    ck_assert_uint_eq(length, 64);
    ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, good, 64)), JWT_ACCEPTED);

    ck_assert_int_eq(judge(auth, (struct span){token, used}), BAD);
    ck_assert_int_eq(judge(auth, (struct span){token, used + 1}), BAD); /* empty signature */
    static const size_t lengths[] = {1, 2, 32, 63, 65, 66, 70, 71, 72, 96, 128, 132};
    memcpy(bad, good, sizeof(bad));
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, bad, lengths[i])), BAD);
    }
    memset(bad, 0, sizeof(bad)); /* r = s = 0, "psychic signatures" */
    ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, bad, 64)), BAD);
    static const char *const numbers[] = {"0", "1", "order"};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        for (unsigned which = 0; which < 2; which++) {
            memcpy(bad, good, 64);
            replace_number(bad, 32, which, numbers[i]);
            ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, bad, 64)), BAD);
        }
    }
    memset(bad, 0xff, sizeof(bad));
    ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, bad, 64)), BAD);
    auth_free(auth);
}
END_TEST

START_TEST(an_ecdsa_signature_in_der_is_refused) {
    enum jwt_kind kind = (enum jwt_kind)_i;
    static const enum jwt_algorithm algorithms[] = {
        [JWT_P256] = JWT_ES256, [JWT_P384] = JWT_ES384, [JWT_P521] = JWT_ES512};
    struct auth *auth = auth_by_pem(kind, "");
    for (int round = 0; round < 20; round++) { /* its length varies */
        ck_assert_int_eq(judge(auth, jwt_sign_form(token, keys[kind], algorithms[kind],
                                                   jwt_header(algorithms[kind], NULL), 'd')),
                         BAD);
    }
    auth_free(auth);
}
END_TEST

START_TEST(a_signature_of_a_wrong_length_or_content_is_refused) {
    static const struct {
        enum jwt_kind kind;
        enum jwt_algorithm algorithm;
        size_t length;
    } rows[] = {{JWT_RSA, JWT_RS256, 256}, {JWT_RSA, JWT_PS256, 256}, {JWT_ED25519, JWT_EDDSA, 64}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct auth *auth = auth_by_pem(rows[i].kind, "");
        unsigned char signature[1024] = {0};
        size_t used = jwt_unsigned(token, jwt_header(rows[i].algorithm, NULL), JWT_GOOD_CLAIMS);
        size_t length = jwt_signature(keys[rows[i].kind], rows[i].algorithm,
                                      (struct span){token, used}, 'r', signature);
        ck_assert_uint_eq(length, rows[i].length);
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, length)),
                         JWT_ACCEPTED);
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, length - 1)), BAD);
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, length + 1)), BAD);
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, 1024)), BAD);
        ck_assert_int_eq(judge(auth, (struct span){token, used + 1}), BAD);
        for (size_t byte = 0; byte < length; byte += 17) {
            signature[byte] ^= 0x01;
            ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, length)), BAD);
            signature[byte] ^= 0x01;
        }
        memset(signature, 0, sizeof(signature));
        ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, length)), BAD);
        auth_free(auth);
    }
}
END_TEST

/* --- tokens that are remembered --- */

START_TEST(a_remembered_token_ends_in_its_time_and_vouches_for_no_other) {
    struct auth *auth = auth_by_pem(JWT_P256, "");
    struct identity identity;
    enum error_code code;
    struct span text = jwt_sign(token, keys[JWT_P256], JWT_ES256, jwt_header(JWT_ES256, NULL));
    const int64_t end_ms = (JWT_NOW_S + 3600 + 30) * 1000; /* leeway and all */
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(judge(auth, text), JWT_ACCEPTED);
    }
    for (size_t i = 0; i < text.length; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(judge(auth, text), BAD);
        token[i] = kept;
    }
    ck_assert_int_eq(auth_verify(auth, text, end_ms - 1, &identity, &code), 0);
    ck_assert_int_eq(identity.expires_ms, (JWT_NOW_S + 3600) * 1000);
    ck_assert_int_eq(auth_verify(auth, text, end_ms, &identity, &code), -EACCES);
    ck_assert_int_eq(code, ERROR_TOKEN_EXPIRED);
    auth_free(auth);
}
END_TEST

/* --- what the header offers --- */

START_TEST(keys_that_a_token_brings_along_are_ignored) {
    struct auth *auth = auth_by_pem(JWT_P256, "");
    EVP_PKEY *own = jwt_make_key(JWT_P256);
    char *jwk = jwt_jwk(own, JWT_P256, "");
    char header[800];
    static const char *const forms[] = {
        "{\"alg\":\"ES256\",\"jwk\":%s}",
        "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/jwks\",\"x-note\":%s}",
        "{\"alg\":\"ES256\",\"x5u\":\"file:///etc/passwd\",\"x5c\":[\"MIIB\"],\"x-note\":%s}",
        "{\"alg\":\"ES256\",\"x5t\":\"AAAA\",\"x5t#S256\":\"AAAA\",\"keys\":[%s]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        (void)snprintf(header, sizeof(header), forms[i], jwk);
        ck_assert_int_eq(judge(auth, jwt_sign(token, own, JWT_ES256, header)), BAD);
        ck_assert_int_eq(judge(auth, jwt_sign(token, keys[JWT_P256], JWT_ES256, header)),
                         JWT_ACCEPTED);
    }
    free(jwk);
    EVP_PKEY_free(own);
    auth_free(auth);
}
END_TEST

START_TEST(none_and_its_relatives_are_refused) {
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":[\"ES256\"]}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"es256\"}",
        "{\"alg\":\"ES256 \"}",
        "{\"alg\":\"Ed25519\"}",
        "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
    };
    struct auth *auth = auth_by_pem(JWT_P256, "");
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        ck_assert_int_eq(judge(auth, jwt_sign(token, keys[JWT_P256], JWT_ES256, headers[i])), BAD);
        size_t used = jwt_unsigned(token, headers[i], JWT_GOOD_CLAIMS);
        token[used] = '.';
        ck_assert_int_eq(judge(auth, (struct span){token, used + 1}), BAD);
    }
    auth_free(auth);
}
END_TEST

/* --- sets of keys --- */

#define LONG_ID "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

START_TEST(kid_says_which_key_and_nothing_else_does) {
    char *a = jwt_jwk(keys[JWT_P256], JWT_P256, ",\"kid\":\"a\",\"use\":\"sig\"");
    EVP_PKEY *second = jwt_make_key(JWT_P256);
    char *b = jwt_jwk(second, JWT_P256, ",\"kid\":\"b/\\u00e4\",\"key_ops\":[\"sign\",\"verify\"]");
    char *r = jwt_jwk(keys[JWT_RSA], JWT_RSA, ",\"kid\":\"r\",\"alg\":\"RS256\"");
    char *o =
        jwt_jwk(keys[JWT_ED25519], JWT_ED25519, ",\"kid\":\"" LONG_ID LONG_ID LONG_ID LONG_ID "\"");
    char jwks[8192];
    (void)snprintf(jwks, sizeof(jwks),
                   "{\"note\":1,\"keys\":[%s,%s,{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"AAAA\"},%s,"
                   "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"A\"},{\"kty\":\"XYZ\"},%s]}",
                   a, b, r, o);
    struct auth *auth = auth_by_jwks(jwks);
    const struct {
        EVP_PKEY *key;
        enum jwt_algorithm algorithm;
        const char *kid; /* JSON, NULL: none */
        int expected;
    } rows[] = {
        {keys[JWT_P256], JWT_ES256, "\"a\"", JWT_ACCEPTED},
        {keys[JWT_P256], JWT_ES256, "\"\\u0061\"", JWT_ACCEPTED},
        {second, JWT_ES256, "\"b/\xc3\xa4\"", JWT_ACCEPTED},
        {second, JWT_ES256, "\"a\"", BAD}, /* the other key's name */
        {keys[JWT_P256], JWT_ES256, "\"b/\xc3\xa4\"", BAD},
        {keys[JWT_P256], JWT_ES256, NULL, BAD}, /* two would fit: nobody guesses */
        {keys[JWT_RSA], JWT_RS256, "\"r\"", JWT_ACCEPTED},
        {keys[JWT_RSA], JWT_RS256, NULL, JWT_ACCEPTED}, /* only one fits */
        {keys[JWT_RSA], JWT_RS384, "\"r\"", BAD},       /* the key's own alg */
        {keys[JWT_RSA], JWT_PS256, "\"r\"", BAD},
        {keys[JWT_RSA], JWT_RS256, "\"a\"", BAD}, /* a key of another kind */
        {keys[JWT_P256], JWT_ES256, "\"r\"", BAD},
        {keys[JWT_ED25519], JWT_EDDSA, "\"" LONG_ID LONG_ID LONG_ID LONG_ID "\"", JWT_ACCEPTED},
        {keys[JWT_ED25519], JWT_EDDSA, "\"" LONG_ID LONG_ID LONG_ID LONG_ID "k\"", BAD},
        {keys[JWT_ED25519], JWT_EDDSA, "\"" LONG_ID "\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"unknown\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"A\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"a \"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"../../../../dev/null\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"a' OR '1'='1\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"a\\u0000\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"a\\nb\"", BAD},
        {keys[JWT_P256], JWT_ES256, "null", BAD},
        {keys[JWT_P256], JWT_ES256, "0", BAD},
        {keys[JWT_P256], JWT_ES256, "true", BAD},
        {keys[JWT_P256], JWT_ES256, "[\"a\"]", BAD},
        {keys[JWT_P256], JWT_ES256, "{\"a\":\"a\"}", BAD},
        {keys[JWT_P256], JWT_ES256, "\"a\",\"kid\":\"a\"", BAD},
        {keys[JWT_P256], JWT_ES256, "\"s\"", BAD},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span text = jwt_sign(token, rows[i].key, rows[i].algorithm,
                                    jwt_header(rows[i].algorithm, rows[i].kid));
        ck_assert_msg(judge(auth, text) == rows[i].expected, "row %zu: kid %s", i,
                      rows[i].kid == NULL ? "(none)" : rows[i].kid);
    }
    /* The set's secret is none: HS256 with it, and with nothing. */
    struct jwt_hmac *hmac = NULL;
    unsigned char signature[JWT_HMAC_MAX_BYTES];
    ck_assert_int_eq(jwt_hmac_new((struct span){"\0\0\0", 3}, &hmac), 0);
    size_t used = jwt_unsigned(token, jwt_header(JWT_HS256, "\"s\""), JWT_GOOD_CLAIMS);
    ck_assert_int_eq(jwt_hmac_sign(hmac, JWT_HS256, (struct span){token, used}, signature), 0);
    ck_assert_int_eq(judge(auth, jwt_with_signature(token, used, signature, 32)), BAD);
    jwt_hmac_free(hmac);
    auth_free(auth);
    EVP_PKEY_free(second);
    free(a);
    free(b);
    free(r);
    free(o);
}
END_TEST

/* --- examples of the RFCs --- */

#define CLAIMS_7515                                                                                \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cn"   \
    "VlfQ"

static const struct {
    const char *what, *jwk, *token;
    int expected; /* a good signature gets as far as the expiry; RFC 7515 A.4 and 8037 sign no claims */
    enum jwt_algorithm algorithm;
} examples[] = {
    {"RFC 7515 A.2",
     "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"
     "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"
     "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH"
     "SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV"
     "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8"
     "NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." CLAIMS_7515 "."
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
     "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
     "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
     "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
     "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
     "p0igcN_IoypGlUPQGe77Rw",
     ERROR_TOKEN_EXPIRED, JWT_RS256},
    {"RFC 7515 A.3",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." CLAIMS_7515 "."
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
     ERROR_TOKEN_EXPIRED, JWT_ES256},
    {"RFC 7515 A.4",
     "{\"kty\":\"EC\",\"crv\":\"P-521\","
     "\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
     "NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\","
     "\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
     "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
     "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
     "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZq"
     "wqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp"
     "EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
     ERROR_INVALID_TOKEN, JWT_ES512},
    {"RFC 8037 A.4",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
     ERROR_INVALID_TOKEN, JWT_EDDSA},
};

static bool example_signature_good(const char *jwk_text, const char *text,
                                   enum jwt_algorithm algorithm) {
    struct json_value jwk;
    struct jwt_key *key = NULL;
    const char *why = "";
    const char *dot = strrchr(text, '.');
    unsigned char signature[512];
    ck_assert_int_eq(json_check(span_of(jwk_text), &jwk, NULL), JSON_OK);
    ck_assert_msg(jwt_jwk_read(jwk, &key, &why) == 0, "%s", why);
    long length = base64url_decode(span_of(dot + 1), signature, sizeof(signature));
    ck_assert_int_gt(length, 0);
    bool good = jwt_key_verify(key, algorithm, (struct span){text, (size_t)(dot - text)},
                               (struct span){(const char *)signature, (size_t)length});
    signature[length / 2] ^= 0x10;
    ck_assert(!jwt_key_verify(key, algorithm, (struct span){text, (size_t)(dot - text)},
                              (struct span){(const char *)signature, (size_t)length}));
    jwt_key_free(key);
    return good;
}

START_TEST(the_examples_of_the_rfcs_have_good_signatures) {
    char jwks[2048];
    ck_assert_msg(
        example_signature_good(examples[_i].jwk, examples[_i].token, examples[_i].algorithm), "%s",
        examples[_i].what);
    (void)snprintf(jwks, sizeof(jwks), "{\"keys\":[%s]}", examples[_i].jwk);
    struct auth *auth = auth_by_jwks(jwks);
    ck_assert_int_eq(judge(auth, span_of(examples[_i].token)), examples[_i].expected);
    auth_free(auth);
}
END_TEST

/* --- files that are refused --- */

#define N2048                                                                                      \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"                        \
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4"                                                                    \
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"                       \
    "bSf63kpaSHSXndS5z5rexMd"                                                                      \
    "bBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"                  \
    "I5IhlJH7aGhyxXFvUK"                                                                           \
    "-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define X256 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y256 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC256(more)                                                                                \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"" more "}"

static const struct {
    const char *jwks, *error;
} bad_sets[] = {
    {"", "is empty"},
    {"x", "\": is not JSON"},
    {"[]", "is not {\"keys\""},
    {"{}", "is not {\"keys\""},
    {"{\"keys\":{}}", "is not {\"keys\""},
    {"{\"keys\":[],\"keys\":[]}", "is not {\"keys\""},
    {"{\"keys\":[]}", "holds no key for signatures that can be used"},
    {"{\"keys\":[]}x", "is not JSON"},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
     "holds no key for signatures that can be used"},
    {"{\"keys\":[" EC256(",\"use\":\"enc\"") "]}", "holds no key for signatures that can be used"},
    {"{\"keys\":[" EC256(",\"use\":1") "]}", "holds no key for signatures that can be used"},
    {"{\"keys\":[" EC256(",\"key_ops\":[\"encrypt\"]") "]}",
     "holds no key for signatures that can be used"},
    {"{\"keys\":[" EC256(",\"alg\":\"ECDH-ES\"") "]}",
     "holds no key for signatures that can be used"},
    {"{\"keys\":[" EC256(",\"alg\":\"RS256\"") "]}", "key 1 names an algorithm"},
    {"{\"keys\":[" EC256(",\"alg\":\"ES384\"") "]}", "key 1 names an algorithm"},
    {"{\"keys\":[" EC256(",\"alg\":\"HS256\"") "]}", "key 1 names an algorithm"},
    {"{\"keys\":[17]}", "key 1 is no object"},
    {"{\"keys\":[17,{\"kty\":\"oct\"},3]}", "key 1 is no object, and 2 more"},
    {"{\"keys\":[" EC256(",\"kid\":1") "]}", "key 1 has a kid that is no text"},
    {"{\"keys\":[" EC256(",\"kid\":\"\"") "]}", "key 1 has a kid that is no text"},
    {"{\"keys\":[" EC256(",\"d\":\"AAAA\"") "]}", "key 1 is a private key"},
    {"{\"keys\":[" EC256(",\"x\":\"" Y256 "\"") "]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\"}]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"EC\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" X256 "\"}]}",
     "point is not on its curve"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}]}",
     "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "=\",\"y\":\"" Y256 "\"}]}",
     "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N2048 "\"}]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "fewer than 2048"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N2048 "\",\"e\":\"AQ\"}]}", "even or trivial exponent"},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" N2048 "\",\"e\":\"Ag\"}]}", "even or trivial exponent"},
    {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", "key 1 lacks a member"},
    {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}]}",
     "holds no key for signatures that can be used"},
};

static const struct {
    const char *bad, *words; /* NULL: none that an operator has to hear of */
} passed_over[] = {
    {"17", "its key 2 is no object; passed over"},
    {"{\"kty\":\"RSA\",\"kid\":\"old\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
     "its key 2 (kid \"old\") is an RSA key of fewer than 2048 or more than 8192 bits; passed "
     "over"},
    {"{\"kty\":\"AKP\",\"kid\":\"new\",\"alg\":\"ML-DSA-44\"}",
     "its key 2 (kid \"new\") is of a kind that is not known here"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}", "its key 2 is of a kind"},
    {EC256(",\"kid\":\"a\""), "its key 2 (kid \"a\") has the same kid as one before it"},
    {EC256(",\"d\":\"AAAA\""), "its key 2 is a private key"},
    {"1,2", "its key 2 is no object, and 1 more; passed over"},
    {EC256(",\"use\":\"enc\""), NULL},
};

START_TEST(a_key_that_cant_be_used_is_passed_over_and_named) {
    char jwks[4096];
    char *good = jwt_jwk(keys[JWT_P256], JWT_P256, ",\"kid\":\"a\"");
    const char *words = passed_over[_i].words;
    (void)snprintf(jwks, sizeof(jwks), "{\"keys\":[%s,%s]}", good, passed_over[_i].bad);
    struct auth *auth = auth_by_jwks(jwks);
    ck_assert_int_eq(judge(auth, jwt_sign(token, keys[JWT_P256], JWT_ES256,
                                          "{\"alg\":\"ES256\",\"kid\":\"a\"}")),
                     JWT_ACCEPTED);
    ck_assert((auth_warning(auth, 0) == NULL) == (words == NULL));
    if (words != NULL) {
        ck_assert_msg(strstr(auth_warning(auth, 0), words) != NULL, "%s", auth_warning(auth, 0));
        ck_assert_ptr_null(auth_warning(auth, 1));
    }
    auth_free(auth);
    free(good);
}
END_TEST

START_TEST(a_bad_key_set_is_told_in_one_line) {
    struct options options = jwt_options();
    ck_assert_ptr_null(jwt_auth(&options, bad_sets[_i].jwks, true, error, sizeof(error)));
    ck_assert_msg(strstr(error, bad_sets[_i].error) != NULL, "\"%s\" is not in \"%s\"",
                  bad_sets[_i].error, error);
    ck_assert_ptr_nonnull(strstr(error, "JWT_JWKS_FILE: \"/tmp/moonx-test-key-"));
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

static void refuses_pem(const char *pem, const char *expected) {
    struct options options = jwt_options();
    struct auth *auth = jwt_auth(&options, pem, false, error, sizeof(error));
    ck_assert_ptr_null(auth);
    ck_assert_msg(strstr(error, expected) != NULL, "\"%s\" is not in \"%s\"", expected, error);
    ck_assert_ptr_nonnull(strstr(error, "JWT_PUBLIC_KEY_FILE: \"/tmp/moonx-test-key-"));
    ck_assert_ptr_null(strchr(error, '\n'));
}

START_TEST(a_bad_key_file_is_told_in_one_line) {
    char *public = jwt_pem(keys[JWT_P256], false), *private = jwt_pem(keys[JWT_P256], true);
    char *two = NULL;
    EVP_PKEY *weak = EVP_RSA_gen(1024), *other_curve = EVP_EC_gen("secp256k1");
    EVP_PKEY *exchange = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    char *weak_pem = jwt_pem(weak, false), *curve_pem = jwt_pem(other_curve, false);
    char *exchange_pem = jwt_pem(exchange, false);
    ck_assert_int_gt(asprintf(&two, "%s%s", public, public), 0);
    refuses_pem("", "is empty");
    refuses_pem("nonsense", "holds no public key in PEM");
    refuses_pem("{\"keys\":[]}", "holds no public key in PEM");
    refuses_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                "holds no public key in PEM");
    refuses_pem(private, "holds a private key");
    refuses_pem(two, "holds more than one key");
    refuses_pem(weak_pem, "fewer than 2048");
    refuses_pem(curve_pem, "curve other than P-256");
    refuses_pem(exchange_pem, "kind that is not supported");
    char *texts[] = {public, private, two, weak_pem, curve_pem, exchange_pem};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        free(texts[i]);
    }
    EVP_PKEY_free(weak);
    EVP_PKEY_free(other_curve);
    EVP_PKEY_free(exchange);
}
END_TEST

static const struct {
    const char *pem, *jwks, *algorithms, *error;
} bad_options[] = {
    {"/nonexistent/key", "", "", "JWT_PUBLIC_KEY_FILE: \"/nonexistent/key\": cannot be read"},
    {"", "/nonexistent/set", "", "JWT_JWKS_FILE: \"/nonexistent/set\": cannot be read"},
    {"", "/tmp", "", "JWT_JWKS_FILE: \"/tmp\": cannot be read: Is a directory"},
    {"a", "b", "", "set only one of the two"},
    {"", "", "", "JWT_PUBLIC_KEY_FILE, JWT_JWKS_FILE, JWT_JWKS_URL or AUTH_SERVICE_URL"},
};

START_TEST(options_that_contradict_each_other_are_told) {
    struct options options = jwt_options();
    struct auth *auth = NULL;
    options.jwt_public_key_file = bad_options[_i].pem;
    options.jwt_jwks_file = bad_options[_i].jwks;
    ck_assert_int_lt(auth_new(&options, false, &auth, error, sizeof(error)), 0);
    ck_assert_msg(strstr(error, bad_options[_i].error) != NULL, "%s", error);
}
END_TEST

START_TEST(an_algorithm_that_the_key_is_not_for_is_refused_at_start) {
    char *pem = jwt_pem(keys[JWT_P256], false);
    static const char *const lists[] = {"RS256", "ES384", "HS256", "ES256,EdDSA"};
    static const char *const named[] = {"RS256", "ES384", "HS256", "EdDSA"};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct options options = jwt_options();
        char expected[64];
        options.jwt_algorithms = lists[i];
        ck_assert_ptr_null(jwt_auth(&options, pem, false, error, sizeof(error)));
        (void)snprintf(expected, sizeof(expected), "is one for %s", named[i]);
        ck_assert_msg(strstr(error, expected) != NULL, "%s", error);
    }
    free(pem);
}
END_TEST

START_TEST(a_pkcs_1_key_is_read_as_well) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    unsigned char *der = NULL;
    struct options options = jwt_options();
    int der_length = i2d_PublicKey(keys[JWT_RSA], &der);
    ck_assert_int_eq(PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, der_length) > 0, 1);
    long length = BIO_get_mem_data(bio, &bytes);
    char *pem = strndup(bytes, (size_t)length);
    struct auth *auth = jwt_auth(&options, pem, false, error, sizeof(error));
    ck_assert_msg(auth != NULL, "%s", error);
    ck_assert_int_eq(judge(auth, jwt_sign(token, keys[JWT_RSA], JWT_RS256, "{\"alg\":\"RS256\"}")),
                     JWT_ACCEPTED);
    auth_free(auth);
    free(pem);
    OPENSSL_free(der);
    BIO_free(bio);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("jwt_key");
    TCase *tests = tcase_create("public keys");

    tcase_add_unchecked_fixture(tests, make_keys, free_keys);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, each_algorithm_is_accepted_under_its_own_name_only, JWT_RSA,
                        JWT_ED25519 + 1);
    tcase_add_loop_test(tests, another_key_of_the_same_kind_is_refused, JWT_RSA, JWT_ED25519 + 1);
    tcase_add_test(tests, only_configured_algorithms_of_a_key_are_accepted);
    tcase_add_loop_test(tests, the_public_key_is_no_secret, JWT_RSA, JWT_ED25519 + 1);
    tcase_add_test(tests, secret_and_public_key_can_stand_side_by_side);
    tcase_add_test(tests, an_ecdsa_signature_has_one_form_and_no_trivial_numbers);
    tcase_add_loop_test(tests, an_ecdsa_signature_in_der_is_refused, JWT_P256, JWT_P521 + 1);
    tcase_add_test(tests, a_signature_of_a_wrong_length_or_content_is_refused);
    tcase_add_test(tests, a_remembered_token_ends_in_its_time_and_vouches_for_no_other);
    tcase_add_test(tests, keys_that_a_token_brings_along_are_ignored);
    tcase_add_test(tests, none_and_its_relatives_are_refused);
    tcase_add_test(tests, kid_says_which_key_and_nothing_else_does);
    tcase_add_loop_test(tests, the_examples_of_the_rfcs_have_good_signatures, 0,
                        (int)ARRAY_LENGTH(examples));
    tcase_add_loop_test(tests, a_key_that_cant_be_used_is_passed_over_and_named, 0,
                        (int)ARRAY_LENGTH(passed_over));
    tcase_add_loop_test(tests, a_bad_key_set_is_told_in_one_line, 0, (int)ARRAY_LENGTH(bad_sets));
    tcase_add_test(tests, a_bad_key_file_is_told_in_one_line);
    tcase_add_loop_test(tests, options_that_contradict_each_other_are_told, 0,
                        (int)ARRAY_LENGTH(bad_options));
    tcase_add_test(tests, an_algorithm_that_the_key_is_not_for_is_refused_at_start);
    tcase_add_test(tests, a_pkcs_1_key_is_read_as_well);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
