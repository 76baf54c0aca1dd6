#include "checkpoint/index_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/replace.h"
#include "io/transfer.h"

#define ROOM (UINT64_C(64) * 1024)

/* Text on its way to the file. */
typedef struct output {
    int fd;
    uint64_t written;
    uint64_t held;
    char *room;
    int failure; /* errno of the first write that failed */
} output;

static void flush(output *out) {
    if (out->failure == 0 && out->held > 0) {
        out->failure = sft_write_whole(out->fd, out->written, out->room, out->held);
        out->written += out->held;
    }
    out->held = 0;
}

static void put(output *out, const char *text, size_t length) {
    if (length > ROOM - out->held) {
        flush(out);
    }
    memcpy(out->room + out->held, text, length);
    out->held += length;
}

static void put_text(output *out, const char *text) {
    put(out, text, strlen(text));
}

static void put_unit(output *out, uint32_t unit) {
    char escape[8];
    int length = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unit & 0xffff));
    put(out, escape, (size_t)length);
}

static uint32_t decode(const unsigned char *bytes, size_t length) {
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | (bytes[i] & 0x3fU);
    }
    return point;
}

/* Python escapes all that is not ASCII, as UTF-16. */
static void put_point(output *out, uint32_t point) {
    static const char plain[] = "\"\\\n\r\t\f\b";
    static const char letters[] = "\"\\nrtfb";
    const char *letter = point != 0 && point < 0x80 ? strchr(plain, (int)point) : NULL;
    if (letter != NULL) {
        const char escape[] = {'\\', letters[letter - plain]};
        put(out, escape, sizeof escape);
    } else if (point >= 0x10000) {
        put_unit(out, 0xd800 + ((point - 0x10000) >> 10));
        put_unit(out, 0xdc00 + (point & 0x3ff));
    } else if (point < 0x20 || point >= 0x7f) {
        /* DEL is ASCII, and stays. */
        if (point == 0x7f) {
            put(out, "\x7f", 1);
        } else {
            put_unit(out, point);
        }
    } else {
        const char byte = (char)point;
        put(out, &byte, 1);
    }
}

/* The text was found to be UTF-8 before. */
static void put_string(output *out, const char *text, size_t length) {
    put(out, "\"", 1);
    for (size_t at = 0; at < length;) {
        const unsigned char *bytes = (const unsigned char *)text + at;
        size_t size = sft_utf8_length(bytes, length - at);
        size = size == 0 ? 1 : size;
        put_point(out, decode(bytes, size));
        at += size;
    }
    put(out, "\"", 1);
}

static void put_metadata(output *out, const sft_plan *plan) {
    static const char total_size[] = "total_size";
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, plan->bytes);
    put_text(out, "  \"metadata\": {\n    \"total_size\": ");
    put_text(out, number);
    for (uint64_t i = 0; i < plan->tie_count; i++) {
        const sft_tie *tie = &plan->ties[i];
        bool taken = tie->dropped_length == sizeof total_size - 1 &&
                     memcmp(tie->dropped, total_size, sizeof total_size - 1) == 0;
        if (!taken) {
            put_text(out, ",\n    ");
            put_string(out, tie->dropped, tie->dropped_length);
            put_text(out, ": ");
            put_string(out, tie->kept, tie->kept_length);
        }
    }
    put_text(out, "\n  },\n");
}

static void put_weights(output *out, const sft_index_file *file) {
    const char *separator = "\n    ";
    put_text(out, "  \"weight_map\": {");
    for (uint64_t i = 0; i < file->split->count; i++) {
        const sft_plan_tensor *planned = &file->plan->tensors[file->split->order[i]];
        const char *path = file->files[planned->file];
        const char *slash = strrchr(path, '/');
        const char *name = slash != NULL ? slash + 1 : path;
        put_text(out, separator);
        put_string(out, planned->name, planned->name_length);
        put_text(out, ": ");
        put_string(out, name, strlen(name));
        separator = ",\n    ";
    }
    put_text(out, file->split->count > 0 ? "\n  }\n" : "}\n");
}

static sft_status write(const sft_index_file *file, output *out, sft_error *error) {
    sft_replace replace;
    sft_status status =
        sft_replace_begin(&replace, file->path, file->durable, file->keep_existing, error);
    if (status != SFT_OK) {
        return status;
    }
    out->fd = replace.fd;
    put_text(out, "{\n");
    put_metadata(out, file->plan);
    put_weights(out, file);
    put_text(out, "}");
    flush(out);
    if (out->failure != 0) {
        sft_replace_abort(&replace);
        return sft_fail_system(error, SFT_WRITE_FAILED, out->failure, "cannot write the index");
    }
    return sft_replace_commit(&replace, error);
}

sft_status sft_index_file_write(const sft_index_file *file, sft_error *error) {
    output out = {.room = sft_allocate(&file->plan->allocator, ROOM)};
    if (out.room == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = write(file, &out, error);
    sft_release(&file->plan->allocator, out.room, ROOM);
    if (status != SFT_OK) {
        sft_error_file(error, file->path);
    }
    return status;
}
