/* One row of the routing table into one route (syntax: route_table.h). Ingest only. */
#ifndef MOONX_INGEST_ROUTE_PARSE_H
#define MOONX_INGEST_ROUTE_PARSE_H

#include "common/table_file.h"
#include "ingest/route_table.h"

/* -EINVAL with "FILE:LINE: …" in `error`, -ENOMEM. The caller owns *out: route_parse_free(). */
int route_parse_row(const struct table_row *row, struct route **out, char *error,
                    size_t error_size) MUST_CHECK;
void route_parse_free(struct route *route);

/* Whether Kafka takes it as a topic's name: 1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor .. */
bool route_parse_topic_valid(struct span topic);

#endif
