#include "commands.h"
#include "compare.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_COLUMNS = 56 };

struct diff {
    const char *paths[2];
    sft_model *models[2];
    bool json;
    bool data;
    bool metadata;
    bool verbose;
    uint64_t tensors; /* names in either */
    uint64_t different_tensors;
    uint64_t different_entries; /* of the metadata */
    int code;
};

/* One name, and what each side has under it. */
struct pair {
    const sft_tensor *tensors[2]; /* NULL where a side lacks it */
    bool same_form;               /* dtype and shape */
    bool compared;
    bool equal;
    struct comparison comparison;
};

static void print_value(const sft_metadata_entry *entry) {
    struct text text = TEXT_EMPTY;
    text_add_string(&text, "\"");
    text_escape_cut(&text, entry->value, entry->value_length, VALUE_COLUMNS);
    text_add_string(&text, "\"");
    output_text(&text);
    text_free(&text);
}

static void print_json_value(const char *side, const sft_metadata_entry *entry) {
    json_key(side);
    if (entry != NULL) {
        json_bytes(entry->value, entry->value_length);
    } else {
        json_null();
    }
}

static void report_entry(struct diff *diff, const sft_metadata_entry *a,
                         const sft_metadata_entry *b) {
    const sft_metadata_entry *named = a != NULL ? a : b;
    diff->different_entries++;
    if (diff->json) {
        json_begin_object();
        json_key("key");
        json_bytes(named->key, named->key_length);
        print_json_value("a", a);
        print_json_value("b", b);
        json_end_object();
        return;
    }
    struct text key = TEXT_EMPTY;
    text_escape_cut(&key, named->key, named->key_length, VALUE_COLUMNS);
    output_format("%s metadata ", b == NULL ? "-" : a == NULL ? "+" : "~");
    output_text(&key);
    output_string(" = ");
    print_value(named);
    if (a != NULL && b != NULL) {
        output_string(" -> ");
        print_value(b);
    }
    output_string("\n");
    text_free(&key);
}

/* Entries of one side that the other lacks or, looking from the first, has with another value. */
static void compare_entries(struct diff *diff, int side) {
    size_t count;
    bool present;
    const sft_metadata_entry **entries = input_metadata(diff->models[side], &count, &present);
    for (size_t i = 0; i < count; i++) {
        const sft_metadata_entry *entry = entries[i];
        const sft_metadata_entry *other =
            input_metadata_find(diff->models[1 - side], entry->key, entry->key_length);
        if (other == NULL) {
            report_entry(diff, side == 0 ? entry : NULL, side == 0 ? NULL : entry);
        } else if (side == 0 && (entry->value_length != other->value_length ||
                                 memcmp(entry->value, other->value, entry->value_length) != 0)) {
            report_entry(diff, entry, other);
        }
    }
    free(entries);
}

static void compare_metadata(struct diff *diff) {
    if (diff->json) {
        json_key("metadata");
    }
    if (!diff->metadata) {
        if (diff->json) {
            json_null();
        }
        return;
    }
    if (diff->json) {
        json_begin_array();
    }
    compare_entries(diff, 0);
    compare_entries(diff, 1);
    if (diff->json) {
        json_end_array();
    }
}

static void print_json_side(const char *side, const sft_tensor *tensor) {
    json_key(side);
    if (tensor != NULL) {
        json_begin_object();
        input_json_tensor(tensor);
        json_end_object();
    } else {
        json_null();
    }
}

static void print_json_pair(const struct diff *diff, const struct pair *pair) {
    const sft_tensor *named = pair->tensors[0] != NULL ? pair->tensors[0] : pair->tensors[1];
    json_begin_object();
    json_key("name");
    json_bytes(named->name, named->name_length);
    json_key("equal");
    json_bool(pair->equal);
    print_json_side("a", pair->tensors[0]);
    print_json_side("b", pair->tensors[1]);
    if (diff->data) {
        json_key("data");
        if (pair->compared) {
            json_begin_object();
            json_key("equal");
            json_bool(pair->comparison.different == 0);
            json_key("elements");
            json_number(pair->comparison.elements);
            json_key("different");
            json_number(pair->comparison.different);
            json_key("max_abs_difference");
            json_real(pair->comparison.greatest);
            json_key("nan_a");
            json_number(pair->comparison.nan[0]);
            json_key("nan_b");
            json_number(pair->comparison.nan[1]);
            json_end_object();
        } else {
            json_null();
        }
    }
    json_end_object();
}

static void print_form(const sft_tensor *tensor) {
    struct text shape = TEXT_EMPTY;
    input_shape_text(&shape, tensor);
    output_format("%s ", sft_dtype_name(tensor->dtype));
    output_text(&shape);
    text_free(&shape);
}

static void print_comparison(const struct comparison *comparison) {
    if (comparison->different == 0) {
        output_string(": equal");
    } else {
        output_format(": %" PRIu64 " of %" PRIu64 " values differ, max abs difference %.9g",
                      comparison->different, comparison->elements, comparison->greatest);
    }
    if (comparison->nan[0] > 0 || comparison->nan[1] > 0) {
        output_format(", NaN %" PRIu64 " and %" PRIu64, comparison->nan[0], comparison->nan[1]);
    }
}

static void print_pair(const struct pair *pair) {
    const sft_tensor *a = pair->tensors[0];
    const sft_tensor *b = pair->tensors[1];
    const sft_tensor *named = pair->tensors[a != NULL ? 0 : 1];
    struct text name = TEXT_EMPTY;
    text_escape(&name, named->name, named->name_length, "");
    output_format("%s ", b == NULL ? "-" : a == NULL ? "+" : pair->equal ? "=" : "~");
    output_text(&name);
    output_string("  ");
    print_form(named);
    if (a != NULL && b != NULL && !pair->same_form) {
        output_string(" -> ");
        print_form(b);
    }
    if (pair->compared) {
        print_comparison(&pair->comparison);
    }
    output_string("\n");
    text_free(&name);
}

static void report_pair(struct diff *diff, const struct pair *pair) {
    diff->tensors++;
    diff->different_tensors += !pair->equal;
    if (diff->json) {
        print_json_pair(diff, pair);
    } else if (!pair->equal || diff->verbose) {
        print_pair(pair);
    }
}

/* False when a side can't be read any more. */
static bool compare_places(struct diff *diff, const sft_model_tensor places[2]) {
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    for (int i = 0; i < 2; i++) {
        pair.tensors[i] = places[i].tensor;
    }
    const sft_tensor *a = pair.tensors[0];
    const sft_tensor *b = pair.tensors[1];
    bool same_shape = a->rank == b->rank &&
                      (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
    pair.same_form = a->dtype == b->dtype && same_shape;
    pair.equal = pair.same_form;
    bool goes_on = true;
    if (diff->data && compare_possible(a, b)) {
        int failed = 0;
        sft_error error;
        if (compare_data(places, &pair.comparison, &failed, &error) == SFT_OK) {
            pair.compared = true;
            pair.equal = pair.equal && pair.comparison.different == 0;
        } else {
            input_error_file(&error,
                             sft_model_shard_path(diff->models[failed], places[failed].shard));
            message_error(&error);
            diff->code = EXIT_TROUBLE;
            goes_on = false;
        }
    }
    if (goes_on) {
        report_pair(diff, &pair);
    }
    return goes_on;
}

static void compare_tensors(struct diff *diff) {
    uint64_t counts[2] = {sft_model_count(diff->models[0]), sft_model_count(diff->models[1])};
    sft_model_tensor places[2];
    for (int side = 0; side < 2; side++) {
        for (uint64_t i = 0; i < counts[side]; i++) {
            if (!sft_model_at(diff->models[side], i, &places[side])) {
                return;
            }
            const sft_tensor *tensor = places[side].tensor;
            bool in_both = sft_model_find(diff->models[1 - side], tensor->name, tensor->name_length,
                                          &places[1 - side]);
            if (!in_both) {
                struct pair pair;
                memset(&pair, 0, sizeof pair);
                pair.tensors[side] = tensor;
                report_pair(diff, &pair);
            } else if (side == 0 && !compare_places(diff, places)) {
                return;
            }
        }
    }
}

static void print_verdict(const struct diff *diff) {
    if (diff->code != EXIT_FINE) {
        return;
    }
    const char *s = diff->tensors == 1 ? "" : "s";
    if (diff->different_tensors == 0 && diff->different_entries == 0) {
        output_format("equal: %" PRIu64 " tensor%s%s%s\n", diff->tensors, s,
                      diff->metadata ? " and the metadata" : "",
                      diff->data ? "" : " (values were not compared: see --data)");
        return;
    }
    output_format("different: %" PRIu64 " of %" PRIu64 " tensor%s", diff->different_tensors,
                  diff->tensors, s);
    if (diff->metadata) {
        output_format(", %" PRIu64 " metadata entr%s", diff->different_entries,
                      diff->different_entries == 1 ? "y" : "ies");
    }
    output_string("\n");
}

static void compare_models(struct diff *diff) {
    if (diff->json) {
        json_begin_object();
        json_key("schema");
        json_number(1);
        json_key("a");
        json_string(diff->paths[0]);
        json_key("b");
        json_string(diff->paths[1]);
    }
    compare_metadata(diff);
    if (diff->json) {
        json_key("tensors");
        json_begin_array();
    }
    if (diff->data) {
        progress_begin(input_bytes(diff->models[0]) + input_bytes(diff->models[1]));
    }
    compare_tensors(diff);
    progress_end();
    bool different = diff->different_tensors > 0 || diff->different_entries > 0;
    if (diff->json) {
        json_end_array();
        json_key("equal");
        json_bool(!different && diff->code == EXIT_FINE);
        json_end_object();
        json_end();
    } else {
        print_verdict(diff);
    }
    diff->code = exit_worse(diff->code, different ? EXIT_NO : EXIT_FINE);
}

static int run_diff(const struct args *args) {
    int code = args_expect(args, 2, 2, "two FILEs");
    if (code != EXIT_FINE) {
        return code;
    }
    struct diff diff;
    memset(&diff, 0, sizeof diff);
    diff.json = args->seen[OPTION_JSON];
    diff.data = args->seen[OPTION_DATA];
    diff.metadata = args->seen[OPTION_METADATA];
    diff.verbose = args->seen[OPTION_VERBOSE];
    for (int i = 0; i < 2; i++) {
        diff.paths[i] = args->operands[i];
        code = exit_worse(code, input_open(diff.paths[i], &diff.models[i]));
    }
    if (code == EXIT_FINE) {
        compare_models(&diff);
        code = diff.code;
    }
    sft_model_close(diff.models[0]);
    sft_model_close(diff.models[1]);
    return code;
}

static const struct option_spec options[] = {{"data", OPTION_DATA, '\0', false},
                                             {"metadata", OPTION_METADATA, '\0', false},
                                             {"json", OPTION_JSON, '\0', false},
                                             {"verbose", OPTION_VERBOSE, 'v', false},
                                             {NULL, 0, '\0', false}};

const struct command command_diff = {
    .name = "diff",
    .summary = "what differs between two models",
    .help = "Usage: sft diff [--data] [--metadata] [--json] [-v] A B\n"
            "\n"
            "Compares the names, dtypes and shapes of two models. Each may be a file, a\n"
            "folder of shards or an index; where a tensor lies does not matter.\n"
            "\n"
            "  -  only in A     +  only in B     ~  in both, but different\n"
            "\n"
            "  --data         also compare the values: how many differ, the greatest absolute\n"
            "                 difference, how many are NaN; NaN equals NaN, 0 equals -0\n"
            "  --metadata     also compare the metadata\n"
            "  --json         one JSON document\n"
            "  -v, --verbose  list equal tensors too\n"
            "\n"
            "Exit status: 0 no difference, 1 a difference, 3 a file could not be read.\n"
            "\n"
            "Example: sft diff --data before.safetensors after.safetensors\n",
    .options = options,
    .run = run_diff,
};
