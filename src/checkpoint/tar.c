#include "checkpoint/tar.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"

#define RECORD 512

/* Longer names and lists of them are not read. */
#define LONGEST_EXTENSION UINT64_C(65536)

/* The header of a member: POSIX.1-2017, pax, "ustar Interchange Format". */
typedef struct tar_header {
    const char *name; /* 100 bytes */
    const char *size_field;
    const char *prefix; /* 155 bytes */
    char type;
} tar_header;

/* What the members before a member say of it. */
typedef struct tar_extension {
    char *name; /* in place of the header's, raw bytes */
    size_t name_length;
    bool has_size;
    uint64_t size;
} tar_extension;

static size_t text_length(const char *text, size_t room) {
    const char *end = memchr(text, '\0', room);
    return end != NULL ? (size_t)(end - text) : room;
}

/* Octal digits, with blanks and NUL around them; false for anything else. */
static bool read_octal(const char *text, size_t room, uint64_t *value) {
    size_t length = text_length(text, room);
    size_t at = 0;
    while (at < length && text[at] == ' ') {
        at++;
    }
    while (length > at && text[length - 1] == ' ') {
        length--;
    }
    *value = 0;
    for (; at < length; at++) {
        if (text[at] < '0' || text[at] > '7' || *value >> 61 != 0) {
            return false;
        }
        *value = *value << 3 | (uint64_t)(text[at] - '0');
    }
    return true;
}

/* GNU's form for large numbers: a first byte of 0x80, and big-endian bytes behind it. */
static bool read_number(const char *text, size_t room, uint64_t *value) {
    if ((unsigned char)text[0] != 0x80) {
        return (unsigned char)text[0] < 0x80 && read_octal(text, room, value);
    }
    *value = 0;
    for (size_t i = 1; i < room; i++) {
        if (*value >> 56 != 0) {
            return false;
        }
        *value = *value << 8 | (unsigned char)text[i];
    }
    return true;
}

/* The sum of the header's bytes, with blanks for the sum itself. Some old writers took the bytes as
 * signed. */
static bool sum_is_right(const char *bytes) {
    uint64_t wanted;
    if (!read_octal(bytes + 148, 8, &wanted)) {
        return false;
    }
    uint64_t plain = 8 * (uint64_t)' ';
    int64_t as_signed = 8 * (int64_t)' ';
    for (size_t i = 0; i < RECORD; i++) {
        if (i < 148 || i >= 156) {
            plain += (unsigned char)bytes[i];
            as_signed += (signed char)bytes[i];
        }
    }
    return wanted == plain || (as_signed >= 0 && wanted == (uint64_t)as_signed);
}

static bool is_zero(const char *bytes) {
    for (size_t i = 0; i < RECORD; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

bool sft_tar_begins(const unsigned char *bytes, size_t size) {
    return size >= RECORD && !is_zero((const char *)bytes) && sum_is_right((const char *)bytes);
}

static tar_header parse(const char *bytes) {
    return (tar_header){bytes, bytes + 124, bytes + 345, bytes[156]};
}

static sft_status read_extension(const sft_region *region, uint64_t offset, uint64_t size,
                                 sft_sources *sources, char **text, sft_error *error) {
    if (size > LONGEST_EXTENSION) {
        sft_fail(error, SFT_SOURCE_LIMIT, offset,
                 "a member's name or its pax headers are longer than 64 KiB");
        return SFT_SOURCE_LIMIT;
    }
    *text = sft_arena_take(&sources->arena, size);
    if (*text == NULL) {
        sft_fail_memory(error);
        return SFT_NO_MEMORY;
    }
    return sft_region_read(region, offset, *text, size, error);
}

static bool is_key(const char *key, size_t length, const char *wanted) {
    return length == strlen(wanted) && memcmp(key, wanted, length) == 0;
}

static bool read_decimal(const char *text, size_t length, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || !sft_multiply(*value, 10, value) ||
            !sft_add(*value, (uint64_t)(text[i] - '0'), value)) {
            return false;
        }
    }
    return length > 0;
}

/* One keyword of pax headers; `global` ones hold for all members behind them. */
static sft_status apply_keyword(char *key, size_t key_length, char *value, size_t length,
                                bool global, uint64_t byte, tar_extension *extension,
                                sft_error *error) {
    bool path = is_key(key, key_length, "path");
    bool size = is_key(key, key_length, "size");
    bool sparse = key_length >= 10 && memcmp(key, "GNU.sparse", 10) == 0;
    if (sparse || (global && (path || size))) {
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, byte,
                        sparse ? "the archive has sparse files"
                               : "the archive gives one name or size to all members");
    }
    if (path) {
        extension->name = value;
        extension->name_length = length;
    }
    if (size) {
        extension->has_size = true;
        if (!read_decimal(value, length, &extension->size)) {
            return sft_fail(error, SFT_MALFORMED_SOURCE, byte, "a member's size is no number");
        }
    }
    return SFT_OK;
}

/* Lines of a length, a blank, a keyword, "=", a value and a newline. */
static sft_status read_pax(char *text, size_t size, bool global, uint64_t byte,
                           tar_extension *extension, sft_error *error) {
    size_t at = 0;
    while (at < size && text[at] != '\0') {
        char *blank = memchr(text + at, ' ', size - at);
        uint64_t length = 0;
        if (blank == NULL || !read_decimal(text + at, (size_t)(blank - (text + at)), &length) ||
            length > size - at || length < (size_t)(blank - (text + at)) + 2 ||
            text[at + (size_t)length - 1] != '\n') {
            return sft_fail(error, SFT_MALFORMED_SOURCE, byte + at, "pax headers are damaged");
        }
        char *end = text + at + (size_t)length - 1;
        char *key = blank + 1;
        char *equals = memchr(key, '=', (size_t)(end - key));
        if (equals == NULL) {
            return sft_fail(error, SFT_MALFORMED_SOURCE, byte + at, "pax headers are damaged");
        }
        sft_status status =
            apply_keyword(key, (size_t)(equals - key), equals + 1, (size_t)(end - equals) - 1,
                          global, byte + at, extension, error);
        if (status != SFT_OK) {
            return status;
        }
        at += (size_t)length;
    }
    return SFT_OK;
}

/* A member of a kind that says something of the next one. */
static bool is_extension(char type) {
    return type != '\0' && strchr("LKxXg", type) != NULL;
}

static sft_status read_part(const sft_region *region, char type, uint64_t offset, uint64_t size,
                            sft_sources *sources, tar_extension *extension, sft_error *error) {
    if (type == 'K') { /* where a link leads to */
        return SFT_OK;
    }
    char *text = NULL;
    sft_status status = read_extension(region, offset, size, sources, &text, error);
    if (status != SFT_OK) {
        return status;
    }
    if (type == 'L') {
        extension->name = text;
        extension->name_length = text_length(text, (size_t)size);
        return SFT_OK;
    }
    return read_pax(text, (size_t)size, type == 'g', offset, extension, error);
}

/* Of two that say the same, POSIX goes by the last and tarfile by the first. */
static sft_status apply_extension(const sft_region *region, char type, uint64_t offset,
                                  uint64_t size, sft_sources *sources, tar_extension *extension,
                                  sft_error *error) {
    tar_extension part = {0};
    sft_status status = read_part(region, type, offset, size, sources, &part, error);
    if (status != SFT_OK) {
        return status;
    }
    if ((part.name != NULL && extension->name != NULL) || (part.has_size && extension->has_size)) {
        return sft_fail(error, SFT_UNSUPPORTED_SOURCE, offset,
                        "a member gets its name or its size twice");
    }
    if (part.name != NULL) {
        extension->name = part.name;
        extension->name_length = part.name_length;
    }
    if (part.has_size) {
        extension->has_size = true;
        extension->size = part.size;
    }
    return SFT_OK;
}

/* Links, devices, folders and pipes have no bytes, whatever size they state; what is of no known
 * kind is a file. */
static bool has_bytes(char type) {
    return type == '\0' || strchr("123456", type) == NULL;
}

static void set_name(sft_tar_member *member, const tar_header *header,
                     const tar_extension *extension) {
    char *to = member->name;
    size_t room = sizeof member->name - 1;
    size_t used = 0;
    if (extension->name != NULL) {
        used = extension->name_length < room ? extension->name_length : room;
        memcpy(to, extension->name, used);
    } else {
        size_t prefix = text_length(header->prefix, 155);
        if (prefix > 0) {
            memcpy(to, header->prefix, prefix);
            to[prefix] = '/';
            used = prefix + 1;
        }
        size_t name = text_length(header->name, 100);
        memcpy(to + used, header->name, name);
        used += name;
    }
    to[used] = '\0';
}

/* A file whose name ends with a slash is a folder in archives older than POSIX. */
static bool is_old_folder(const tar_header *header) {
    size_t length = text_length(header->name, 100);
    return header->type == '\0' && length > 0 && header->name[length - 1] == '/';
}

static sft_status fill(const sft_region *region, uint64_t data, uint64_t size,
                       const tar_header *header, const tar_extension *extension,
                       sft_sources *sources, sft_tar_member *member, sft_error *error) {
    set_name(member, header, extension);
    bool bytes = has_bytes(header->type) && !is_old_folder(header);
    member->regular = bytes;
    if (!sft_region_part(region, data, bytes ? size : 0, &member->region)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, data, "a member ends behind the archive");
    }
    member->region.label =
        sft_sources_label(sources, region->label, member->name, strlen(member->name));
    return member->region.label == NULL ? sft_fail_memory(error) : SFT_OK;
}

/* Behind a member's bytes, which fill whole records. The last may be cut short. */
static bool move_behind(uint64_t *position, uint64_t data, uint64_t size) {
    return sft_add(data, size, position) && sft_round_up(*position, RECORD, position);
}

sft_status sft_tar_next(const sft_region *region, uint64_t *position, sft_sources *sources,
                        sft_tar_member *member, bool *found, sft_error *error) {
    tar_extension extension = {0};
    char bytes[RECORD];
    *found = false;
    while (*position < region->size) {
        sft_status status = sft_region_read(region, *position, bytes, RECORD, error);
        if (status != SFT_OK || is_zero(bytes)) {
            return status;
        }
        tar_header header = parse(bytes);
        uint64_t data = *position + RECORD;
        uint64_t size;
        if (!sum_is_right(bytes) || !read_number(header.size_field, 12, &size)) {
            return sft_fail(error, SFT_MALFORMED_SOURCE, *position,
                            "this should be a tar header, and its checksum is wrong");
        }
        if (header.type == 'S') {
            return sft_fail(error, SFT_UNSUPPORTED_SOURCE, *position,
                            "the archive has sparse files");
        }
        bool extends = is_extension(header.type);
        if (extends) {
            sft_region part;
            if (!sft_region_part(region, data, size, &part)) {
                return sft_fail(error, SFT_MALFORMED_SOURCE, data,
                                "a member ends behind the archive");
            }
            status = apply_extension(region, header.type, data, size, sources, &extension, error);
        } else {
            size = extension.has_size ? extension.size : size;
            status = fill(region, data, size, &header, &extension, sources, member, error);
            size = member->region.size;
        }
        if (status != SFT_OK) {
            return status;
        }
        if (!move_behind(position, data, size)) {
            return sft_fail(error, SFT_MALFORMED_SOURCE, data, "a member ends behind the archive");
        }
        if (!extends) {
            *found = true;
            return SFT_OK;
        }
    }
    return SFT_OK;
}

sft_status sft_tar_find(const sft_region *region, const char *name, sft_sources *sources,
                        sft_region *member, sft_error *error) {
    uint64_t position = 0;
    bool any = false;
    for (;;) {
        sft_tar_member next;
        bool found;
        sft_status status = sft_tar_next(region, &position, sources, &next, &found, error);
        if (status != SFT_OK) {
            return status;
        }
        if (!found) {
            return any ? SFT_OK
                       : sft_fail(error, SFT_NOT_FOUND, SFT_NO_BYTE,
                                  "the archive has no member called \"%s\"", name);
        }
        const char *path = strncmp(next.name, "./", 2) == 0 ? next.name + 2 : next.name;
        if (next.regular && strcmp(path, name) == 0) {
            *member = next.region;
            any = true;
        }
    }
}
