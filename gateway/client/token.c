#include "gateway/client/token.h"

int token_init(struct token *token, const char *text, const char *file) {
    struct secret *secret;
    int result =
        file != NULL ? secret_from_file(file, &secret) : secret_from_text(span_of(text), &secret);
    if (result == 0) {
        *token = (struct token){.file = file, .secret = secret};
    }
    return result;
}

void token_done(struct token *token) {
    secret_free(token->secret);
    token->secret = NULL;
}

bool token_renew(struct token *token) {
    struct secret *fresh;
    if (token->file == NULL || secret_from_file(token->file, &fresh) != 0) {
        return false; /* half-written or away: whoever writes it will be done in a moment */
    }
    if (secret_equal(secret_bytes(fresh), secret_bytes(token->secret))) {
        secret_free(fresh);
        return false;
    }
    secret_free(token->secret);
    token->secret = fresh;
    return true;
}
