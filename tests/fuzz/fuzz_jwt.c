/* libFuzzer: tokens. The first byte chooses: arbitrary bytes as a token, or "header NEWLINE claims" signed
 * with the right secret, so that what lies behind the signature is reached too.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/access/auth.h"
#include "gateway/access/base64url.h"
#include "gateway/access/jwt_claims.h"
#include "gateway/access/jwt_hmac.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define NOW_MS             1700000000000LL
#define LEEWAY_S           30
#define SECRET             "0123456789abcdef0123456789abcdef"
#define MAX_INPUT          12000

static const struct options options = {
    .jwt_secret = SECRET,
    .jwt_secret_file = "",
    .jwt_algorithms = "HS256,HS512",
    .jwt_issuer = "",
    .jwt_audience = "",
    .jwt_leeway_seconds = LEEWAY_S,
    .dev_directory = "",
};

static struct auth *auth;
static struct jwt_hmac *hmac;

static void init(void) {
    char error[256];
    REQUIRE(auth_new(&options, false, &auth, error, sizeof(error)) == 0);
    REQUIRE(jwt_hmac_new(SPAN_LITERAL(SECRET), &hmac) == 0);
}

static size_t add_segment(char *token, size_t size, size_t used, struct span bytes) {
    long added = base64url_encode((const unsigned char *)bytes.data, bytes.length, token + used,
                                  size - used);
    REQUIRE(added >= 0);
    return used + (size_t)added;
}

static struct span sign(struct span input, char *token, size_t size) {
    const char *newline = input.length == 0 ? NULL : memchr(input.data, '\n', input.length);
    size_t header = newline == NULL ? input.length : (size_t)(newline - input.data);
    size_t claims = newline == NULL ? header : header + 1;
    unsigned char signature[JWT_HMAC_MAX_BYTES];
    size_t used = add_segment(token, size, 0, (struct span){input.data, header});
    token[used++] = '.';
    used =
        add_segment(token, size, used, (struct span){input.data + claims, input.length - claims});
    REQUIRE(jwt_hmac_sign(hmac, JWT_HS256, (struct span){token, used}, signature) == 0);
    token[used++] = '.';
    used = add_segment(token, size, used,
                       (struct span){(const char *)signature, jwt_hmac_bytes(JWT_HS256)});
    return (struct span){token, used};
}

static bool terminated(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

/* What everybody behind the verifier relies on; and that what is accepted can be said again. */
static void check_identity(const struct identity *identity) {
    struct identity again;
    enum error_code code;
    char *token = NULL;
    REQUIRE(terminated(identity->user_id, sizeof(identity->user_id)));
    REQUIRE(jwt_claims_user_id_valid(span_of(identity->user_id)));
    REQUIRE(terminated(identity->email, sizeof(identity->email)));
    REQUIRE(identity->role_count <= IDENTITY_ROLES_MAX);
    REQUIRE(identity->expires_ms > NOW_MS - LEEWAY_S * 1000);
    for (unsigned i = 0; i < identity->role_count; i++) {
        REQUIRE(terminated(identity->roles[i], sizeof(identity->roles[i])));
    }
    REQUIRE(auth_mint(auth, identity, NOW_MS, 60, &token) == 0);
    REQUIRE(auth_verify(auth, span_of(token), NOW_MS, &again, &code) == 0);
    REQUIRE(strcmp(again.user_id, identity->user_id) == 0);
    REQUIRE(strcmp(again.email, identity->email) == 0);
    REQUIRE(again.role_count == identity->role_count);
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char signed_token[2 * MAX_INPUT];
    struct identity identity;
    enum error_code code = ERROR_CODE_COUNT;
    struct span token;
    if (auth == NULL) {
        init();
    }
    if (size < 1 || size > MAX_INPUT) {
        return 0;
    }
    token = (struct span){(const char *)data + 1, size - 1};
    if (data[0] & 1) {
        token = sign(token, signed_token, sizeof(signed_token));
    }
    if (auth_verify(auth, token, NOW_MS, &identity, &code) == 0) {
        check_identity(&identity);
    } else {
        REQUIRE(code == ERROR_INVALID_TOKEN || code == ERROR_TOKEN_EXPIRED ||
                code == ERROR_INVALID_USER_ID || code == ERROR_USER_INACTIVE);
    }
    return 0;
}
