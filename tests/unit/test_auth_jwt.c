/* Tokens: vectors of the RFCs, and what RFC 8725 warns of, as tables. */
#include "gateway/access/auth.h"
#include "gateway/access/auth_jwt.h"
#include "gateway/access/base64url.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET      "0123456789abcdef0123456789abcdef"
#define NOW_S       1700000000LL
#define NOW_MS      (NOW_S * 1000)
#define GOOD_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD_CLAIMS "{\"sub\":\"alice\",\"exp\":1700003600}"
#define TOKEN_BYTES 70000
#define ACCEPTED    (-1)
#define U114                                                                                       \
    "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"                                    \
    "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct options options_with(const char *secret) {
    struct options options;

    memset(&options, 0, sizeof(options));
    options.jwt_secret = secret;
    options.jwt_secret_file = "";
    options.jwt_algorithms = "HS256";
    options.jwt_issuer = "";
    options.jwt_audience = "";
    options.jwt_leeway_seconds = 30;
    options.dev_directory = "/nonexistent";
    return options;
}

static struct auth *auth_of(const struct options *options) {
    struct auth *auth = NULL;
    char error[512] = "";

    ck_assert_msg(auth_new(options, false, &auth, error, sizeof(error)) == 0, "%s", error);
    return auth;
}

static size_t add_segment(char *token, size_t used, const void *bytes, size_t length) {
    long added = base64url_encode(bytes, length, token + used, TOKEN_BYTES - used);

    ck_assert_int_ge(added, 0);
    return used + (size_t)added;
}

/* What an issuer who knows `secret` would send. */
static struct span sign(char token[TOKEN_BYTES], const char *secret, enum jwt_algorithm algorithm,
                        const char *header, const char *claims) {
    unsigned char signature[JWT_HMAC_MAX_BYTES];
    struct jwt_hmac *hmac = NULL;
    size_t used = add_segment(token, 0, header, strlen(header));

    token[used++] = '.';
    used = add_segment(token, used, claims, strlen(claims));
    ck_assert_int_eq(jwt_hmac_new(span_of(secret), &hmac), 0);
    ck_assert_int_eq(jwt_hmac_sign(hmac, algorithm, (struct span){token, used}, signature), 0);
    jwt_hmac_free(hmac);
    token[used++] = '.';
    used = add_segment(token, used, signature, jwt_hmac_bytes(algorithm));
    return (struct span){token, used};
}

/* ACCEPTED, or the error code. */
static int verdict(const struct auth *auth, struct span token, struct identity *identity) {
    struct identity untouched;
    enum error_code code = ERROR_CODE_COUNT;
    int result;

    memset(identity, 0x5a, sizeof(*identity));
    memset(&untouched, 0x5a, sizeof(untouched));
    result = auth_verify(auth, token, NOW_MS, identity, &code);
    if (result == 0) {
        return ACCEPTED;
    }
    ck_assert_int_eq(result, -EACCES);
    ck_assert_int_ne(code, ERROR_CODE_COUNT);
    ck_assert_msg(memcmp(identity, &untouched, sizeof(untouched)) == 0,
                  "output touched on failure");
    return (int)code;
}

struct token_case {
    const char *what, *header, *claims;
    int expected;
};

#define C(what, claims, expected)                                                                  \
    { what, GOOD_HEADER, claims, expected }
#define H(what, header, expected)                                                                  \
    { what, header, GOOD_CLAIMS, expected }
#define BAD ERROR_INVALID_TOKEN

/* All signed with the right secret, so that only what they say counts. */
static const struct token_case token_cases[] = {
    H("plain", GOOD_HEADER, ACCEPTED),
    H("only alg", "{\"alg\":\"HS256\"}", ACCEPTED),
    H("foreign typ", "{\"alg\":\"HS256\",\"typ\":17}", ACCEPTED),
    H("kid a path", "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}", ACCEPTED),
    H("kid SQL", "{\"alg\":\"HS256\",\"kid\":\"' UNION SELECT 'x\"}", ACCEPTED),
    H("kid no string", "{\"alg\":\"HS256\",\"kid\":[{}]}", ACCEPTED),
    H("kid long", "{\"alg\":\"HS256\",\"kid\":\"" B64 B64 B64 B64 B64 B64 B64 B64 "\"}", ACCEPTED),
    H("jku, x5u, jwk",
      "{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\",\"x5u\":\"file:///etc\","
      "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
      ACCEPTED),
    H("none", "{\"alg\":\"none\"}", BAD),
    H("None", "{\"alg\":\"None\"}", BAD),
    H("nOnE", "{\"alg\":\"nOnE\"}", BAD),
    H("empty alg", "{\"alg\":\"\"}", BAD),
    H("hs256", "{\"alg\":\"hs256\"}", BAD),
    H("HS256 with a blank", "{\"alg\":\"HS256 \"}", BAD),
    H("HS384, not configured", "{\"alg\":\"HS384\"}", BAD),
    H("HS512, not configured", "{\"alg\":\"HS512\"}", BAD),
    H("HS2566", "{\"alg\":\"HS2566\"}", BAD),
    H("RS256", "{\"alg\":\"RS256\"}", BAD),
    H("ES256", "{\"alg\":\"ES256\"}", BAD),
    H("EdDSA", "{\"alg\":\"EdDSA\"}", BAD),
    H("alg a number", "{\"alg\":256}", BAD),
    H("alg null", "{\"alg\":null}", BAD),
    H("alg a list", "{\"alg\":[\"HS256\"]}", BAD),
    H("alg with capitals in the key", "{\"Alg\":\"HS256\"}", BAD),
    H("no alg", "{\"typ\":\"JWT\"}", BAD),
    H("crit", "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", BAD),
    H("crit empty", "{\"alg\":\"HS256\",\"crit\":[]}", BAD),
    H("crit null", "{\"alg\":\"HS256\",\"crit\":null}", BAD),
    H("crit escaped", "{\"alg\":\"HS256\",\"\\u0063rit\":[]}", BAD),
    H("alg twice", "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", BAD),
    H("alg twice, once escaped", "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", BAD),
    H("kid twice", "{\"alg\":\"HS256\",\"kid\":1,\"kid\":2}", BAD),
    H("header a list", "[\"HS256\"]", BAD),
    H("header a string", "\"HS256\"", BAD),
    H("header with garbage behind it", "{\"alg\":\"HS256\"}x", BAD),
    H("header with a BOM", "\xef\xbb\xbf{\"alg\":\"HS256\"}", BAD),
    H("header with bad UTF-8", "{\"alg\":\"HS256\",\"kid\":\"\xff\"}", BAD),
    H("header with NUL", "{\"alg\":\"HS256\\u0000\"}", BAD),
    H("header cut off", "{\"alg\":\"HS256\"", BAD),

    C("sub", "{\"sub\":\"alice\",\"exp\":1700003600}", ACCEPTED),
    C("userId", "{\"userId\":\"alice\",\"exp\":1700003600}", ACCEPTED),
    C("id", "{\"id\":\"alice\",\"exp\":1700003600}", ACCEPTED),
    C("sub null, userId", "{\"sub\":null,\"userId\":\"alice\",\"exp\":1700003600}", ACCEPTED),
    C("sub escaped", "{\"sub\":\"\\u0061lice\",\"exp\":1700003600}", ACCEPTED),
    C("longest id", "{\"sub\":\"" U114 "\",\"exp\":1700003600}", ACCEPTED),
    C("id a byte too long", "{\"sub\":\"" U114 "u\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id far too long", "{\"sub\":\"" U114 U114 "\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id empty", "{\"sub\":\"\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id with a blank", "{\"sub\":\"a b\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id with a slash", "{\"sub\":\"a/b\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id with a star", "{\"sub\":\"*\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id not ASCII", "{\"sub\":\"\xc3\xa4\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id with a newline", "{\"sub\":\"a\\nb\",\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id with NUL", "{\"sub\":\"al\\u0000ice\",\"exp\":1700003600}", BAD),
    C("key with NUL", "{\"sub\\u0000x\":\"alice\",\"exp\":1700003600}", BAD),
    C("id a fraction", "{\"sub\":1.5,\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id a power", "{\"sub\":1e5,\"exp\":1700003600}", ERROR_INVALID_USER_ID),
    C("id true", "{\"sub\":true,\"exp\":1700003600}", BAD),
    C("id an object", "{\"sub\":{},\"exp\":1700003600}", BAD),
    C("no id", "{\"exp\":1700003600}", BAD),
    C("Sub", "{\"Sub\":\"alice\",\"exp\":1700003600}", BAD),
    C("sub twice", "{\"sub\":\"alice\",\"sub\":\"bob\",\"exp\":1700003600}", BAD),
    C("sub twice, once escaped", "{\"sub\":\"alice\",\"s\\u0075b\":\"bob\",\"exp\":1700003600}",
      BAD),
    C("another key twice", "{\"x\":1,\"sub\":\"alice\",\"exp\":1700003600,\"x\":1}", BAD),

    C("exp missing", "{\"sub\":\"alice\"}", BAD),
    C("exp a string", "{\"sub\":\"alice\",\"exp\":\"1700003600\"}", BAD),
    C("exp null", "{\"sub\":\"alice\",\"exp\":null}", BAD),
    C("exp true", "{\"sub\":\"alice\",\"exp\":true}", BAD),
    C("exp infinite", "{\"sub\":\"alice\",\"exp\":1e999}", BAD),
    C("exp beyond every date", "{\"sub\":\"alice\",\"exp\":8640000000001}", BAD),
    C("exp the last date", "{\"sub\":\"alice\",\"exp\":8640000000000}", ACCEPTED),
    C("exp NaN", "{\"sub\":\"alice\",\"exp\":NaN}", BAD),
    C("exp hexadecimal", "{\"sub\":\"alice\",\"exp\":0x7fffffff}", BAD),
    C("exp negative", "{\"sub\":\"alice\",\"exp\":-1}", BAD),
    C("exp of 70 digits",
      "{\"sub\":\"alice\",\"exp\":1700003600.000000000000000000000000000000000000000"
      "0000000000000000000000}",
      BAD),
    C("exp with a fraction", "{\"sub\":\"alice\",\"exp\":1700003600.9}", ACCEPTED),
    C("exp as a power", "{\"sub\":\"alice\",\"exp\":1.7000036e9}", ACCEPTED),
    C("exp zero", "{\"sub\":\"alice\",\"exp\":0}", ERROR_TOKEN_EXPIRED),
    C("exp past", "{\"sub\":\"alice\",\"exp\":1699999000}", ERROR_TOKEN_EXPIRED),
    C("exp at the end of the leeway", "{\"sub\":\"alice\",\"exp\":1699999970}",
      ERROR_TOKEN_EXPIRED),
    C("exp a second before that", "{\"sub\":\"alice\",\"exp\":1699999971}", ACCEPTED),
    C("exp twice", "{\"sub\":\"alice\",\"exp\":1,\"exp\":1700003600}", BAD),
    C("nbf past", "{\"sub\":\"alice\",\"exp\":1700003600,\"nbf\":1}", ACCEPTED),
    C("nbf in the leeway", "{\"sub\":\"alice\",\"exp\":1700003600,\"nbf\":1700000030}", ACCEPTED),
    C("nbf future", "{\"sub\":\"alice\",\"exp\":1700003600,\"nbf\":1700000031}", BAD),
    C("nbf a string", "{\"sub\":\"alice\",\"exp\":1700003600,\"nbf\":\"1\"}", BAD),
    C("nbf null", "{\"sub\":\"alice\",\"exp\":1700003600,\"nbf\":null}", BAD),
    C("expired and not yet", "{\"sub\":\"alice\",\"exp\":1,\"nbf\":1800000000}", BAD),

    C("inactive", "{\"sub\":\"alice\",\"exp\":1700003600,\"isActive\":false}", ERROR_USER_INACTIVE),
    C("active", "{\"sub\":\"alice\",\"exp\":1700003600,\"isActive\":true}", ACCEPTED),
    C("isActive a string", "{\"sub\":\"alice\",\"exp\":1700003600,\"isActive\":\"false\"}", BAD),
    C("isActive 0", "{\"sub\":\"alice\",\"exp\":1700003600,\"isActive\":0}", BAD),
    C("email no string", "{\"sub\":\"alice\",\"exp\":1700003600,\"email\":1}", BAD),
    C("email null", "{\"sub\":\"alice\",\"exp\":1700003600,\"email\":null}", ACCEPTED),
    C("email too long", "{\"sub\":\"alice\",\"exp\":1700003600,\"email\":\"" B64 B64 B64 B64 "\"}",
      BAD),
    C("roles a number", "{\"sub\":\"alice\",\"exp\":1700003600,\"roles\":1}", BAD),
    C("a role no string", "{\"sub\":\"alice\",\"exp\":1700003600,\"roles\":[\"a\",1]}", BAD),
    C("a role of 64 bytes", "{\"sub\":\"alice\",\"exp\":1700003600,\"roles\":[\"" B64 "\"]}",
      ACCEPTED),
    C("a role of 65 bytes", "{\"sub\":\"alice\",\"exp\":1700003600,\"roles\":[\"b" B64 "\"]}", BAD),
    C("claims a list", "[\"alice\",1700003600]", BAD),
    C("claims empty", "{}", BAD),
    C("claims not JSON", "sub=alice", BAD),
    C("claims with garbage behind them", "{\"sub\":\"alice\",\"exp\":1700003600}}", BAD),
    C("claims with a NUL byte's escape", "{\"sub\":\"alice\",\"exp\":1700003600,\"x\":\"\\u0000\"}",
      BAD),
    C("claims with bad UTF-8", "{\"sub\":\"alice\",\"exp\":1700003600,\"x\":\"\xc0\x80\"}", BAD),
    C("claims with a lone surrogate", "{\"sub\":\"alice\",\"exp\":1700003600,\"x\":\"\\ud800\"}",
      BAD),
    C("claims with 01", "{\"sub\":\"alice\",\"exp\":01700003600}", BAD),
    C("iss and aud, not asked for", "{\"sub\":\"alice\",\"exp\":1700003600,\"iss\":1,\"aud\":{}}",
      ACCEPTED),
};

START_TEST(a_token_signed_with_the_right_secret_is_judged_by_what_it_says) {
    const struct token_case *row = &token_cases[_i];
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;
    int result = verdict(auth, sign(token, SECRET, JWT_HS256, row->header, row->claims), &identity);

    ck_assert_msg(result == row->expected, "%s: %d instead of %d", row->what, result,
                  row->expected);
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(only_whole_canonical_tokens_of_three_segments_are_accepted) {
    static const char *const claims_segment = "eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMzYwMH0";
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *good = malloc(TOKEN_BYTES), *token = malloc(TOKEN_BYTES);
    struct span signed_token = sign(good, SECRET, JWT_HS256, GOOD_HEADER, GOOD_CLAIMS);
    struct identity identity;
    char *dot, *last_dot;

    good[signed_token.length] = '\0';
    dot = strchr(good, '.');
    last_dot = strrchr(good, '.');
    ck_assert(strncmp(dot + 1, claims_segment, strlen(claims_segment)) == 0);
    ck_assert_int_eq(verdict(auth, span_of(good), &identity), ACCEPTED);

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        (void)snprintf(token, TOKEN_BYTES, __VA_ARGS__);                                           \
        ck_assert_msg(verdict(auth, span_of(token), &identity) == BAD, "%s", token);               \
    } while (0)
    REFUSED("%s", "");
    REFUSED(".");
    REFUSED("..");
    REFUSED("...");
    REFUSED("%.*s", (int)(dot - good), good);
    REFUSED("%.*s", (int)(last_dot - good), good);
    REFUSED("%.*s.", (int)(last_dot - good), good);
    REFUSED("%s.", good);
    REFUSED(".%s", good);
    REFUSED("%s.x.y", good);
    REFUSED("%s=", good);
    REFUSED("%s ", good);
    REFUSED("%s\n", good);
    REFUSED(" %s", good);
    REFUSED("Bearer %s", good);
    REFUSED("%.*s=%s", (int)(dot - good), good, dot);
    REFUSED("%.*s.%s", (int)(dot - good), good, last_dot);
    REFUSED("%.*sA", (int)strlen(good), good);
    REFUSED("%.*s", (int)strlen(good) - 1, good);
    REFUSED("eyJhbGciOiJub25lIn0.%s.", claims_segment);
#undef REFUSED
    free(good);
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(no_single_changed_character_passes) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. ";
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct span span = sign(token, SECRET, JWT_HS256, GOOD_HEADER, GOOD_CLAIMS);
    struct identity identity;

    for (size_t i = 0; i < span.length; i++) {
        char original = token[i];
        for (const char *other = alphabet; *other != '\0'; other++) {
            if (*other != original) {
                token[i] = *other;
                ck_assert_int_eq(verdict(auth, span, &identity), BAD);
            }
        }
        token[i] = '\0';
        ck_assert_int_eq(verdict(auth, span, &identity), BAD);
        token[i] = original;
    }
    ck_assert_int_eq(verdict(auth, span, &identity), ACCEPTED);
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(a_token_of_8_kib_is_accepted_and_a_longer_one_is_not) {
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES), *claims = malloc(TOKEN_BYTES);
    size_t longest_accepted = 0, shortest_refused = SIZE_MAX;
    struct identity identity;

    for (int padding = 5900; padding < 6200; padding++) {
        struct span span;
        (void)snprintf(claims, TOKEN_BYTES, "{\"sub\":\"alice\",\"exp\":1700003600,\"x\":\"%0*d\"}",
                       padding, 0);
        span = sign(token, SECRET, JWT_HS256, GOOD_HEADER, claims);
        if (verdict(auth, span, &identity) == ACCEPTED) {
            ck_assert_uint_gt(span.length, longest_accepted);
            longest_accepted = span.length;
        } else if (shortest_refused == SIZE_MAX) {
            shortest_refused = span.length;
        }
    }
    ck_assert_uint_le(longest_accepted, AUTH_JWT_MAX_BYTES);
    ck_assert_uint_gt(longest_accepted, AUTH_JWT_MAX_BYTES - 4);
    ck_assert_uint_gt(shortest_refused, AUTH_JWT_MAX_BYTES);

    memset(token, 'A', 65536);
    ck_assert_int_eq(verdict(auth, (struct span){token, 65536}, &identity), BAD);
    free(token);
    free(claims);
    auth_free(auth);
}
END_TEST

START_TEST(what_a_token_says_arrives_in_the_identity) {
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;

    ck_assert_int_eq(
        verdict(auth,
                sign(token, SECRET, JWT_HS256, GOOD_HEADER,
                     "{\"sub\":\"alice\",\"userId\":\"bob\",\"id\":\"eve\",\"exp\":1700003600.75,"
                     "\"email\":\"a\\u0040b.example\",\"roles\":[\"trader\",\"ad\\u006din\"],"
                     "\"role\":\"other\"}"),
                &identity),
        ACCEPTED);
    ck_assert_str_eq(identity.user_id, "alice");
    ck_assert_str_eq(identity.email, "a@b.example");
    ck_assert_uint_eq(identity.role_count, 2);
    ck_assert_str_eq(identity.roles[0], "trader");
    ck_assert_str_eq(identity.roles[1], "admin");
    ck_assert_int_eq(identity.expires_ms, 1700003600000LL);

    ck_assert_int_eq(
        verdict(auth,
                sign(token, SECRET, JWT_HS256, GOOD_HEADER,
                     "{\"id\":9007199254740993,\"exp\":1700003600,\"role\":\"trader\"}"),
                &identity),
        ACCEPTED);
    ck_assert_str_eq(identity.user_id, "9007199254740993"); /* 2^53 + 1: no double can hold it */
    ck_assert_str_eq(identity.email, "");
    ck_assert_uint_eq(identity.role_count, 1);
    ck_assert_str_eq(identity.roles[0], "trader");
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(a_hundred_roles_are_accepted_and_one_more_is_not) {
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;

    ck_assert_int_eq(IDENTITY_ROLES_MAX, 100); /* as moonx-protocol(7) says */
    for (unsigned count = IDENTITY_ROLES_MAX; count <= IDENTITY_ROLES_MAX + 1; count++) {
        char claims[2048] = "{\"sub\":\"alice\",\"exp\":1700003600,\"roles\":[\"r\"";
        for (unsigned i = 1; i < count; i++) {
            strcat(claims, ",\"r\"");
        }
        strcat(claims, "]}");
        ck_assert_int_eq(
            verdict(auth, sign(token, SECRET, JWT_HS256, GOOD_HEADER, claims), &identity),
            count <= IDENTITY_ROLES_MAX ? ACCEPTED : BAD);
    }
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(another_secret_and_another_algorithm_under_the_same_name_are_refused) {
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;

    ck_assert_int_eq(
        verdict(auth, sign(token, SECRET "x", JWT_HS256, GOOD_HEADER, GOOD_CLAIMS), &identity),
        BAD);
    ck_assert_int_eq(
        verdict(auth, sign(token, SECRET, JWT_HS512, GOOD_HEADER, GOOD_CLAIMS), &identity), BAD);
    ck_assert_int_eq(verdict(auth,
                             sign(token, SECRET, JWT_HS512, "{\"alg\":\"HS512\"}", GOOD_CLAIMS),
                             &identity),
                     BAD);
    ck_assert_int_eq(verdict(auth,
                             sign(token, SECRET, JWT_HS256, "{\"alg\":\"HS512\"}", GOOD_CLAIMS),
                             &identity),
                     BAD);
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(each_configured_algorithm_is_accepted_under_its_own_name_only) {
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"HS384\"}",
                                          "{\"alg\":\"HS512\"}"};
    struct options options = options_with(SECRET SECRET);
    struct auth *auth;
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;

    options.jwt_algorithms = " HS512 , HS384";
    auth = auth_of(&options);
    for (int named = 0; named < JWT_HMAC_COUNT; named++) {
        for (int used = 0; used < JWT_HMAC_COUNT; used++) {
            int expected = named == used && named != JWT_HS256 ? ACCEPTED : (int)BAD;
            ck_assert_int_eq(verdict(auth,
                                     sign(token, SECRET SECRET, (enum jwt_algorithm)used,
                                          headers[named], GOOD_CLAIMS),
                                     &identity),
                             expected);
        }
    }
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(issuer_and_audience_are_checked_where_they_are_configured) {
    static const struct {
        const char *claims;
        int expected;
    } rows[] = {
        {"\"iss\":\"https://id.example\",\"aud\":\"gateway\"", ACCEPTED},
        {"\"iss\":\"https://id.example\",\"aud\":[\"other\",\"gateway\"]", ACCEPTED},
        {"\"iss\":\"https:\\/\\/id.example\",\"aud\":[\"g\\u0061teway\"]", ACCEPTED},
        {"\"aud\":\"gateway\"", BAD},
        {"\"iss\":\"https://id.example\"", BAD},
        {"\"iss\":\"https://id.example/\",\"aud\":\"gateway\"", BAD},
        {"\"iss\":\"https://ID.example\",\"aud\":\"gateway\"", BAD},
        {"\"iss\":[\"https://id.example\"],\"aud\":\"gateway\"", BAD},
        {"\"iss\":null,\"aud\":\"gateway\"", BAD},
        {"\"iss\":\"https://id.example\",\"aud\":[]", BAD},
        {"\"iss\":\"https://id.example\",\"aud\":[\"gatewa\",\"gateway2\"]", BAD},
        {"\"iss\":\"https://id.example\",\"aud\":[[\"gateway\"]]", BAD},
        {"\"iss\":\"https://id.example\",\"aud\":{\"gateway\":\"gateway\"}", BAD},
        {"\"iss\":\"https://id.example\",\"aud\":null", BAD},
    };
    struct options options = options_with(SECRET);
    struct auth *auth;
    char *token = malloc(TOKEN_BYTES);
    char claims[512];
    struct identity identity;

    options.jwt_issuer = "https://id.example";
    options.jwt_audience = "gateway";
    auth = auth_of(&options);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int result;
        (void)snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"exp\":1700003600,%s}",
                       rows[i].claims);
        result = verdict(auth, sign(token, SECRET, JWT_HS256, GOOD_HEADER, claims), &identity);
        ck_assert_msg(result == rows[i].expected, "%s: %d", rows[i].claims, result);
    }
    /* Expired and foreign: foreign counts. */
    ck_assert_int_eq(
        verdict(auth,
                sign(token, SECRET, JWT_HS256, GOOD_HEADER,
                     "{\"sub\":\"alice\",\"exp\":1,\"iss\":\"x\",\"aud\":\"gateway\"}"),
                &identity),
        BAD);
    free(token);
    auth_free(auth);
}
END_TEST

START_TEST(the_example_of_rfc_7515_has_a_good_signature) {
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y"
        "b290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    static const char unsecured[] =
        "eyJhbGciOiJub25lIn0."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
        "c19yb290Ijp0cnVlfQ.";
    static const char key[] =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    unsigned char bytes[128];
    char path[] = "/tmp/moonx-test-secret-XXXXXX";
    long length = base64url_decode(span_of(key), bytes, sizeof(bytes));
    int fd = mkstemp(path);
    struct options options = options_with("");
    struct auth *auth;
    struct identity identity;
    enum error_code code;

    ck_assert_int_eq(length, 64);
    ck_assert_int_eq(write(fd, bytes, 64), 64);
    (void)close(fd);
    options.jwt_secret_file = path;
    auth = auth_of(&options);
    (void)unlink(path);

    /* It names no user, so it can't be accepted; but only a good signature gets as far as its expiry. */
    ck_assert_int_eq(verdict(auth, span_of(token), &identity), ERROR_TOKEN_EXPIRED);
    ck_assert_int_eq(auth_verify(auth, span_of(token), 1300819379000LL, &identity, &code), -EACCES);
    ck_assert_int_eq(code, ERROR_INVALID_TOKEN);
    ck_assert_int_eq(verdict(auth, span_of(unsecured), &identity), BAD); /* RFC 7519 section 6.1 */
    auth_free(auth);
}
END_TEST

START_TEST(signatures_are_those_of_rfc_4231) {
    static const char *const expected[] = {
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfa"
        "b21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    };
    struct jwt_hmac *hmac = NULL;

    ck_assert_int_eq(jwt_hmac_new(SPAN_LITERAL(""), &hmac), -EINVAL);
    ck_assert_int_eq(jwt_hmac_new(SPAN_LITERAL("Jefe"), &hmac), 0);
    for (int i = 0; i < JWT_HMAC_COUNT; i++) {
        unsigned char signature[JWT_HMAC_MAX_BYTES];
        char text[2 * JWT_HMAC_MAX_BYTES + 1];
        /* Twice: a signature must not change what the next one starts from. */
        for (int round = 0; round < 2; round++) {
            ck_assert_int_eq(jwt_hmac_sign(hmac, (enum jwt_algorithm)i,
                                           SPAN_LITERAL("what do ya want for nothing?"), signature),
                             0);
            for (size_t byte = 0; byte < jwt_hmac_bytes((enum jwt_algorithm)i); byte++) {
                (void)snprintf(text + 2 * byte, 3, "%02x", signature[byte]);
            }
            ck_assert_str_eq(text, expected[i]);
        }
    }
    jwt_hmac_free(hmac);
}
END_TEST

START_TEST(base64url_knows_one_text_for_some_bytes) {
    /* RFC 4648 section 10, without the padding. */
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Z",    "Zg==", "Zh",   "Zm9",  "Zm9vY",
                                      "Zm+v", "Zm/v", "Zm v", "Zm\n9"};
    unsigned char bytes[16];
    char text[16];

    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        size_t plain = strlen(pairs[i][0]), coded = strlen(pairs[i][1]);
        ck_assert_int_eq(base64url_encode((const unsigned char *)pairs[i][0], plain, text, coded),
                         (long)coded);
        ck_assert_mem_eq(text, pairs[i][1], coded);
        ck_assert_int_eq(base64url_decode(span_of(pairs[i][1]), bytes, plain), (long)plain);
        ck_assert_mem_eq(bytes, pairs[i][0], plain);
        if (plain > 0) {
            ck_assert_int_eq(
                base64url_encode((const unsigned char *)pairs[i][0], plain, text, coded - 1),
                -ENOSPC);
            ck_assert_int_eq(base64url_decode(span_of(pairs[i][1]), bytes, plain - 1), -ENOSPC);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        ck_assert_msg(base64url_decode(span_of(bad[i]), bytes, sizeof(bytes)) == -EINVAL, "%s",
                      bad[i]);
    }
    ck_assert_int_eq(base64url_decode((struct span){"Zm9\0", 4}, bytes, sizeof(bytes)), -EINVAL);
    ck_assert_int_eq(base64url_decode(SPAN_LITERAL("-_-_"), bytes, sizeof(bytes)), 3);
}
END_TEST

START_TEST(a_minted_token_is_accepted_and_says_the_same) {
    static const char *const lists[] = {"HS256", "HS384,HS256", "HS512"};
    struct identity wanted = {.user_id = "42", .email = "q\"@b.example", .role_count = 2};
    struct identity identity;

    strcpy(wanted.roles[0], "trader");
    strcpy(wanted.roles[1], "\xc3\xa4\\");
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct options options = options_with(SECRET SECRET);
        struct auth *auth;
        char *token = NULL;
        options.jwt_algorithms = lists[i];
        options.jwt_issuer = "https://id.example";
        options.jwt_audience = "gateway";
        auth = auth_of(&options);
        ck_assert_int_eq(auth_mint(auth, &wanted, NOW_MS + 999, 60, &token), 0);
        ck_assert_int_eq(verdict(auth, span_of(token), &identity), ACCEPTED);
        ck_assert_str_eq(identity.user_id, wanted.user_id);
        ck_assert_str_eq(identity.email, wanted.email);
        ck_assert_uint_eq(identity.role_count, 2);
        ck_assert_str_eq(identity.roles[0], wanted.roles[0]);
        ck_assert_str_eq(identity.roles[1], wanted.roles[1]);
        ck_assert_int_eq(identity.expires_ms, NOW_MS + 60000);
        free(token);
        auth_free(auth);
    }
}
END_TEST

START_TEST(no_token_is_minted_that_would_be_refused) {
    struct identity identity = {.user_id = "a b"};
    struct options options = options_with(SECRET);
    struct auth *auth = auth_of(&options);
    char *token = NULL;

    ck_assert_int_eq(auth_mint(auth, &identity, NOW_MS, 60, &token), -EINVAL);
    ck_assert_ptr_null(token);
    auth_free(auth);
}
END_TEST

struct config_case {
    const char *algorithms, *secret, *file;
    bool dev;
    const char *error; /* what its line must contain */
};

static const struct config_case config_cases[] = {
    {"HS256", "", "", false, "JWT_SECRET"},
    {"HS256", "x", "/some/file", false, "JWT_SECRET_FILE"},
    {"HS256", "", "/nonexistent/secret", false, "JWT_SECRET_FILE: \"/nonexistent/secret\""},
    {"HS256", "", "/dev/null", false, "JWT_SECRET_FILE: \"/dev/null\""},
    {"HS256", "", "", true, "DEV_DIRECTORY: \"/nonexistent/secret\""},
    {"RS256", "x", "", false,
     "JWT_ALGORITHMS: \"RS256\": no configured secret or key is one for RS256"},
    {"HS256,EdDSA", "x", "", false, "one for EdDSA"},
    {"none", "x", "", false, "JWT_ALGORITHMS: \"none\""},
    {"hs256", "x", "", false, "JWT_ALGORITHMS"},
    {",", "x", "", false, "JWT_ALGORITHMS"},
    {"HS256,", "x", "", false, "JWT_ALGORITHMS"},
    {"HS256 HS512", "x", "", false, "JWT_ALGORITHMS"},
    {"HS256,ES257", "x", "", false, "is not a list of HS256, HS384, HS512, RS256"},
};

START_TEST(a_wrong_configuration_is_told_in_one_line) {
    const struct config_case *row = &config_cases[_i];
    struct options options = options_with(row->secret);
    struct auth *auth = NULL;
    char error[512] = "";

    options.jwt_algorithms = row->algorithms;
    options.jwt_secret_file = row->file;
    ck_assert_int_lt(auth_new(&options, row->dev, &auth, error, sizeof(error)), 0);
    ck_assert_ptr_null(auth);
    ck_assert_msg(strstr(error, row->error) != NULL, "\"%s\" is not in \"%s\"", row->error, error);
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

START_TEST(a_short_secret_works_with_a_warning) {
    struct options options = options_with("x");
    struct auth *auth = auth_of(&options);
    char *token = malloc(TOKEN_BYTES);
    struct identity identity;

    ck_assert_ptr_nonnull(auth_warning(auth, 0));
    ck_assert_ptr_nonnull(strstr(auth_warning(auth, 0), "at least 32"));
    ck_assert_int_eq(
        verdict(auth, sign(token, "x", JWT_HS256, GOOD_HEADER, GOOD_CLAIMS), &identity), ACCEPTED);
    auth_free(auth);
    options = options_with(SECRET);
    auth = auth_of(&options);
    ck_assert_ptr_null(auth_warning(auth, 0)); /* 32 bytes */
    auth_free(auth);
    options.jwt_algorithms = "HS256,HS512";
    auth = auth_of(&options);
    ck_assert_ptr_nonnull(strstr(auth_warning(auth, 0), "HS512"));
    auth_free(auth);
    free(token);
}
END_TEST

START_TEST(in_development_the_secret_comes_from_the_directory_only_when_none_is_set) {
    char directory[] = "/tmp/moonx-test-dev-XXXXXX";
    char path[64], *token = malloc(TOKEN_BYTES);
    struct options options = options_with("");
    struct identity identity;
    struct auth *auth = NULL;
    char error[512];
    FILE *file;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/secret", directory);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(SECRET "\n", file);
    (void)fclose(file);
    options.dev_directory = directory;
    ck_assert_int_eq(auth_new(&options, true, &auth, error, sizeof(error)), 0);
    ck_assert_int_eq(
        verdict(auth, sign(token, SECRET, JWT_HS256, GOOD_HEADER, GOOD_CLAIMS), &identity),
        ACCEPTED);
    auth_free(auth);
    options.jwt_secret = "another";
    ck_assert_int_eq(auth_new(&options, true, &auth, error, sizeof(error)), 0);
    ck_assert_int_eq(
        verdict(auth, sign(token, SECRET, JWT_HS256, GOOD_HEADER, GOOD_CLAIMS), &identity), BAD);
    ck_assert_int_eq(
        verdict(auth, sign(token, "another", JWT_HS256, GOOD_HEADER, GOOD_CLAIMS), &identity),
        ACCEPTED);
    auth_free(auth);
    (void)unlink(path);
    (void)rmdir(directory);
    free(token);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("auth_jwt");
    TCase *tests = tcase_create("tokens");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_token_signed_with_the_right_secret_is_judged_by_what_it_says, 0,
                        (int)ARRAY_LENGTH(token_cases));
    tcase_add_test(tests, only_whole_canonical_tokens_of_three_segments_are_accepted);
    tcase_add_test(tests, no_single_changed_character_passes);
    tcase_add_test(tests, a_token_of_8_kib_is_accepted_and_a_longer_one_is_not);
    tcase_add_test(tests, what_a_token_says_arrives_in_the_identity);
    tcase_add_test(tests, a_hundred_roles_are_accepted_and_one_more_is_not);
    tcase_add_test(tests, another_secret_and_another_algorithm_under_the_same_name_are_refused);
    tcase_add_test(tests, each_configured_algorithm_is_accepted_under_its_own_name_only);
    tcase_add_test(tests, issuer_and_audience_are_checked_where_they_are_configured);
    tcase_add_test(tests, the_example_of_rfc_7515_has_a_good_signature);
    tcase_add_test(tests, signatures_are_those_of_rfc_4231);
    tcase_add_test(tests, base64url_knows_one_text_for_some_bytes);
    tcase_add_test(tests, a_minted_token_is_accepted_and_says_the_same);
    tcase_add_test(tests, no_token_is_minted_that_would_be_refused);
    tcase_add_loop_test(tests, a_wrong_configuration_is_told_in_one_line, 0,
                        (int)ARRAY_LENGTH(config_cases));
    tcase_add_test(tests, a_short_secret_works_with_a_warning);
    tcase_add_test(tests, in_development_the_secret_comes_from_the_directory_only_when_none_is_set);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
