/*
 * The names that the user vouches for: --allow and --policy.
 */
#ifndef CLI_ALLOWED_H
#define CLI_ALLOWED_H

#include "args.h"

#include <sft.h>

struct allowed {
    sft_allowed *pairs;
    size_t count;
    size_t room;
};

/*
 * allowed_collect() - what --allow and --policy say, in their order. Returns EXIT_FINE, or
 * EXIT_USAGE or EXIT_TROUBLE after a message. allowed_free() in any case.
 */
int allowed_collect(struct allowed *allowed, const struct args *args);
void allowed_free(struct allowed *allowed);

#endif /* CLI_ALLOWED_H */
