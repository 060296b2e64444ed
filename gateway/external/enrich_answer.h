/* What an answer of the external service to GET /notifications/enrich means. Pure. */
#ifndef MOONX_GATEWAY_EXTERNAL_ENRICH_ANSWER_H
#define MOONX_GATEWAY_EXTERNAL_ENRICH_ANSWER_H

#include "common/base.h"

#define ENRICH_METADATA_BYTES 16384
#define ENRICH_METADATA_DEPTH 24 /* the event around it must stay within JSON_MAX_DEPTH */

enum enrich_verdict {
    ENRICH_KNOWN,   /* there is metadata */
    ENRICH_NOTHING, /* the service is well and knows nothing: 204, 404, or none in the answer */
    ENRICH_BAD,     /* garbage, too much, another status: asking again would not help */
    ENRICH_AGAIN,   /* no answer, 429, 5xx */
};

/* `status` 0: there was no answer. The metadata is the member `metadata` of the answer, or without one the whole answer:
 * an object, in its own bytes, which lie in `body`. Untouched but for ENRICH_KNOWN. */
enum enrich_verdict enrich_answer_read(int status, struct span body,
                                       struct span *metadata) MUST_CHECK;

#endif
