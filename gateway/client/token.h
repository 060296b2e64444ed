/* The token, from the command line, the environment or a file; a file is read again when a newer one is wanted. Belongs
 * to the run. */
#ifndef MOONX_GATEWAY_CLIENT_TOKEN_H
#define MOONX_GATEWAY_CLIENT_TOKEN_H

#include "common/secret.h"

struct token {
    const char *file; /* NULL: it never changes */
    struct secret *secret;
};

/* The file goes before the text. -errno of secret_from_file() or secret_from_text(). */
int token_init(struct token *token, const char *text, const char *file) MUST_CHECK;
void token_done(struct token *token);

/* Reads the file again. True: there is another token in it now. */
bool token_renew(struct token *token);

#endif
