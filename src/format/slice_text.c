/* Slices as people write them: "[0:2, -1]", "::2", "..., 3". */
#include <inttypes.h>
#include <string.h>

#include <sft/slice.h>

#include "base/error.h"

typedef struct reader {
    const char *text;
    size_t length;
    size_t at;
    sft_error *error;
} reader;

static sft_status fail(const reader *r, sft_status status, size_t at, const char *message) {
    return sft_fail(r->error, status, at, "%s", message);
}

static void skip_space(reader *r) {
    while (r->at < r->length && (r->text[r->at] == ' ' || r->text[r->at] == '\t')) {
        r->at++;
    }
}

static char peek(const reader *r) {
    return r->at < r->length ? r->text[r->at] : '\0';
}

static bool take(reader *r, char wanted) {
    skip_space(r);
    if (r->at >= r->length || r->text[r->at] != wanted) {
        return false;
    }
    r->at++;
    skip_space(r);
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/*
 * An integer if one is next. What does not fit is clamped: as a bound of a range it means the end,
 * and as an index it is out of range whatever the tensor.
 */
static sft_status read_integer(reader *r, int64_t *value, bool *found) {
    size_t at = r->at;
    bool negative = peek(r) == '-';
    r->at += negative || peek(r) == '+' ? 1 : 0;
    if (!is_digit(peek(r))) {
        if (r->at != at) {
            return fail(r, SFT_SLICE_SYNTAX, at, "a sign without a number behind it");
        }
        *found = false;
        return SFT_OK;
    }
    uint64_t sum = 0;
    for (; is_digit(peek(r)); r->at++) {
        uint64_t digit = (uint64_t)(peek(r) - '0');
        sum = sum > (INT64_MAX - digit) / 10 ? INT64_MAX : sum * 10 + digit;
    }
    *value = negative ? -(int64_t)sum : (int64_t)sum;
    *found = true;
    skip_space(r);
    return SFT_OK;
}

static sft_status read_range(reader *r, sft_range *range) {
    static const sft_range whole = SFT_ALL;
    bool found = false;
    *range = whole;
    sft_status status = read_integer(r, &range->start, &found);
    if (status != SFT_OK) {
        return status;
    }
    if (!take(r, ':')) {
        range->kind = SFT_INDEX;
        return found ? SFT_OK
                     : fail(r, SFT_SLICE_SYNTAX, r->at,
                            "an integer, a range start:stop:step, or ... should stand here");
    }
    bool stop_found = false;
    status = read_integer(r, &range->stop, &stop_found);
    if (status == SFT_OK && take(r, ':')) {
        size_t step_at = r->at;
        status = read_integer(r, &range->step, &found);
        if (status == SFT_OK && range->step < 1) {
            status = fail(r, SFT_SLICE_STEP, step_at, "the step of a range must be 1 or more");
        }
    }
    return status;
}

typedef struct output {
    sft_range *ranges;
    uint32_t rank;
    uint32_t count;
    bool ellipsis;
    uint32_t ellipsis_at; /* how many ranges stand before it */
} output;

static sft_status read_item(reader *r, output *out) {
    skip_space(r);
    if (r->length - r->at >= 3 && memcmp(r->text + r->at, "...", 3) == 0) {
        if (out->ellipsis) {
            return fail(r, SFT_SLICE_SYNTAX, r->at, "a second \"...\"");
        }
        r->at += 3;
        out->ellipsis = true;
        out->ellipsis_at = out->count;
        return SFT_OK;
    }
    size_t at = r->at;
    sft_range range;
    sft_status status = read_range(r, &range);
    if (status != SFT_OK) {
        return status;
    }
    if (out->count == out->rank) {
        return sft_fail(r->error, SFT_SLICE_RANK, at,
                        "more ranges than the tensor's %" PRIu32 " dimension%s", out->rank,
                        sft_plural(out->rank));
    }
    out->ranges[out->count++] = range;
    return SFT_OK;
}

static sft_status read_items(reader *r, bool bracketed, output *out) {
    skip_space(r);
    if (bracketed && peek(r) == ']') {
        return fail(r, SFT_SLICE_SYNTAX, r->at, "an integer, a range or ... should stand here");
    }
    while (r->at < r->length && !(bracketed && peek(r) == ']')) {
        sft_status status = read_item(r, out);
        if (status != SFT_OK) {
            return status;
        }
        if (!take(r, ',')) {
            break;
        }
    }
    skip_space(r);
    if (bracketed && !take(r, ']')) {
        return fail(r, SFT_SLICE_SYNTAX, r->at, "',' or ']' should stand here");
    }
    return r->at == r->length
               ? SFT_OK
               : fail(r, SFT_SLICE_SYNTAX, r->at,
                      bracketed ? "nothing may stand behind the ']'" : "',' should stand here");
}

/* Puts whole dimensions where the "..." stood, if ranges follow it. */
static void expand_ellipsis(output *out) {
    static const sft_range whole = SFT_ALL;
    uint32_t after = out->count - out->ellipsis_at;
    uint32_t gap = out->rank - out->count;
    if (!out->ellipsis || after == 0) {
        return;
    }
    memmove(out->ranges + out->rank - after, out->ranges + out->ellipsis_at,
            after * sizeof *out->ranges);
    for (uint32_t i = 0; i < gap; i++) {
        out->ranges[out->ellipsis_at + i] = whole;
    }
    out->count = out->rank;
}

sft_status sft_slice_parse(const char *text, size_t length, uint32_t rank, sft_range *ranges,
                           uint32_t *count, sft_error *error) {
    if ((text == NULL && length > 0) || (ranges == NULL && rank > 0) || count == NULL) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "a text, and places for ranges and their count are needed");
    }
    reader r = {text, length, 0, error};
    output out = {.ranges = ranges, .rank = rank};
    bool bracketed = take(&r, '[');
    sft_status status = read_items(&r, bracketed, &out);
    if (status != SFT_OK) {
        return status;
    }
    expand_ellipsis(&out);
    *count = out.count;
    return SFT_OK;
}
