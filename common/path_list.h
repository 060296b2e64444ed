/* Options that name several files, separated by commas, with blanks around them. Used by the supervisor, which reads
 * the files, and by whoever understands them. */
#ifndef MOONX_COMMON_PATH_LIST_H
#define MOONX_COMMON_PATH_LIST_H

#include "common/base.h"

/* Cuts `text` in place; paths[] points into it. How many there are, empty ones not counted; -E2BIG: more than `most`. */
int path_list_split(char *text, const char **paths, unsigned most) MUST_CHECK;

#endif
