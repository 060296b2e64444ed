/* The known flag nearest to one that was mistyped. Used by option.c. Pure function. */
#ifndef MOONX_COMMON_OPTION_HINT_H
#define MOONX_COMMON_OPTION_HINT_H

#include "common/base.h"

#define OPTION_HINT_BYTES 64

/* Start: {.wanted = what was typed}. `best` stays "" while nothing near enough has been seen. */
struct option_hint {
    struct span wanted;
    char best[OPTION_HINT_BYTES];
    unsigned distance; /* of best */
};

/* Remembers `candidate` when it is nearer than the best so far: at most a third of the typed letters
 * are wrong, missing, too many or swapped with their neighbour, or it is the start of the candidate. */
void option_hint_consider(struct option_hint *hint, struct span candidate);

#endif
