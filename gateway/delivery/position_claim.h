/* A position that a client has sent: its shape, and what it comes to on this worker. From foreign bytes, so that
 * nothing is taken for granted. Made for one resume, kept while that waits. */
#ifndef MOONX_GATEWAY_DELIVERY_POSITION_CLAIM_H
#define MOONX_GATEWAY_DELIVERY_POSITION_CLAIM_H

#include "gateway/delivery/position.h"

#include <cjson/cJSON.h>

enum claim_verdict {
    CLAIM_GOOD,    /* all that was missed lies in the ring */
    CLAIM_NOT_YET, /* beyond what this worker has: behind, or a topic it does not know (yet) */
    CLAIM_TOO_OLD, /* some of it has left the ring */
    CLAIM_UNKNOWN, /* another epoch */
};

struct position_claim;

/* -EINVAL: not the shape of a position, a topic that stands twice, an offset that is no whole number of
 * -1 or more, more partitions or topics than there can be; -ENOMEM. */
int position_claim_new(const cJSON *position, const char *epoch,
                       struct position_claim **out) MUST_CHECK;
void position_claim_free(struct position_claim *claim);

/* For the client of these rooms. CLAIM_GOOD: wants[] has, by partition, the first offset missed, POSITION_UNKNOWN
 * where the topic is not named; *from is the place in the ring where the search for them may end, UINT64_MAX when
 * nothing is missed. */
enum claim_verdict position_claim_judge(const struct position_claim *claim,
                                        const struct position_rooms *rooms,
                                        uint64_t wants[POSITIONS_MAX_PARTITIONS], uint64_t *from);

#endif
