/* `moonx-client --help`: the lines that most people need, then the groups of arguments_table.h. */
#ifndef MOONX_GATEWAY_CLIENT_ARGUMENTS_HELP_H
#define MOONX_GATEWAY_CLIENT_ARGUMENTS_HELP_H

#include <stdio.h>

/* As wide as the terminal behind `out`, within reason; 80 columns elsewhere. */
void arguments_help(FILE *out);

#endif
