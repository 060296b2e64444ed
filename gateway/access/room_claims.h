/* The rooms that claims of a token list, for the rule `claim:NAME` of the rooms table: only of claims that the table
 * names, and only what is a room's name. Kept as texts "NAME ROOM", one after the other, each with its NUL: neither part
 * can hold a blank. Flat; part of an identity, and interned with the roles of a connection. Pure. */
#ifndef MOONX_GATEWAY_ACCESS_ROOM_CLAIMS_H
#define MOONX_GATEWAY_ACCESS_ROOM_CLAIMS_H

#include "common/json.h"

#define ROOM_CLAIM_NAMES_MAX  8
#define ROOM_CLAIM_NAME_BYTES 64
#define ROOM_CLAIMS_BYTES     4096 /* of one token: what is beyond is left out */

struct room_claim_names {
    unsigned count;
    char names[ROOM_CLAIM_NAMES_MAX][ROOM_CLAIM_NAME_BYTES + 1];
};

struct room_claims {
    size_t length;
    char texts[ROOM_CLAIMS_BYTES];
};

/* Adds what the claims `names` of this object list: an array of strings, or one string, whose rooms are separated by
 * blanks. `names` NULL: none. */
void room_claims_read(struct json_value claims, const struct room_claim_names *names,
                      struct room_claims *out);
/* Whether the claim `name` lists the room. */
bool room_claims_list(struct span claims, const char *name, struct span room);

#endif
