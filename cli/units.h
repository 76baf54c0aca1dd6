/*
 * Numbers for people.
 */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdint.h>

struct units {
    char text[32];
};

/* units_bytes() - "17 B", "1.4 MiB". */
struct units units_bytes(uint64_t bytes);

/* units_grouped() - "1,234,567". */
struct units units_grouped(uint64_t number);

#endif /* CLI_UNITS_H */
