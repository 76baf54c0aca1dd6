/*
 * Verifies what a manifest says: `sft hash --check`.
 */
#ifndef CLI_HASH_CHECK_H
#define CLI_HASH_CHECK_H

#include <stdbool.h>

/* hash_check() - returns the exit code. */
int hash_check(const char *path, bool json, bool quiet);

#endif /* CLI_HASH_CHECK_H */
