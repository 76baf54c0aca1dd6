#include "units.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct units units_bytes(uint64_t bytes) {
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct units units;
    if (bytes < 1024) {
        snprintf(units.text, sizeof units.text, "%" PRIu64 " B", bytes);
        return units;
    }
    double value = (double)bytes / 1024;
    size_t name = 0;
    /* 1023.95 would be printed as 1024.0 */
    while (value >= 1023.95 && name + 1 < sizeof names / sizeof *names) {
        value /= 1024;
        name++;
    }
    snprintf(units.text, sizeof units.text, "%.1f %s", value, names[name]);
    return units;
}

struct units units_grouped(uint64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t length = strlen(digits);
    struct units units;
    size_t to = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            units.text[to++] = ',';
        }
        units.text[to++] = digits[i];
    }
    units.text[to] = '\0';
    return units;
}

bool units_parse(const char *text, uint64_t *bytes) {
    static const struct {
        const char *name;
        double factor;
    } names[] = {{"", 1},         {"B", 1},       {"KB", 1e3},     {"MB", 1e6},
                 {"GB", 1e9},     {"TB", 1e12},   {"KiB", 1024.0}, {"MiB", 1048576.0},
                 {"GiB", 0x1p30}, {"TiB", 0x1p40}};
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double value = strtod(text, &end);
    if (digits == 0 || end != text + digits) {
        return false;
    }
    end += strspn(end, " ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(end, names[i].name) == 0) {
            value *= names[i].factor;
            *bytes = value >= 1 && value < 0x1p63 ? (uint64_t)value : 0;
            return *bytes > 0;
        }
    }
    return false;
}
