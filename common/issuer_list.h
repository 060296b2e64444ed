/* The value of JWT_JWKS_FILE and JWT_JWKS_URL: one place for all tokens, or ISSUER=PLACE,ISSUER=PLACE. Pure; the spans lie
 * in the text. Used by workers and by the supervisor, which must know the files. */
#ifndef MOONX_COMMON_ISSUER_LIST_H
#define MOONX_COMMON_ISSUER_LIST_H

#include "common/base.h"

#define ISSUER_LIST_MAX 8

struct issuer_place {
    struct span issuer; /* empty: whoever */
    struct span place;
};

/* How many places there are, 0 for an empty text; -EINVAL with *why (static). */
int issuer_list_read(const char *text, struct issuer_place places[ISSUER_LIST_MAX],
                     const char **why) MUST_CHECK;

#endif
