/*
 * Numbers for people.
 */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

struct units {
    char text[32];
};

/* units_bytes() - "17 B", "1.4 MiB". */
struct units units_bytes(uint64_t bytes);

/* units_grouped() - "1,234,567". */
struct units units_grouped(uint64_t number);

/*
 * units_parse() - "5GB", "1.5 GB", "500MB", "2GiB" or plain bytes: KB to TB are powers of 1000, as
 * the hub reads them, KiB to TiB of 1024; case does not count. False for all else, and for less
 * than a byte.
 */
bool units_parse(const char *text, uint64_t *bytes);

#endif /* CLI_UNITS_H */
