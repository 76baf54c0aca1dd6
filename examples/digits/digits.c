/*
 * Classifies handwritten digits with a network that was trained in PyTorch.
 *
 * Both files are mapped: the weights and the images are used where they lie,
 * without a copy. The network is the one that train.py builds: two convolutions
 * of 3x3, each with ReLU and a 2x2 maximum behind it, and one linear layer.
 *
 * With a third file, the guesses are written to it as a tensor: digits.py compares
 * them with its own.
 *
 * usage: digits MODEL HELDOUT [GUESSES]
 */
#include <math.h>
#include <sft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, FIRST = 16, SECOND = 32, FEATURES = SECOND * 2 * 2, CLASSES = 10 };

typedef struct network {
    const unsigned char *conv1_weight, *conv1_bias;
    const unsigned char *conv2_weight, *conv2_bias;
    const unsigned char *linear_weight, *linear_bias;
} network;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "digits: %s: %s\n", what, why);
    exit(1);
}

static sft_file *open_mapped(const char *path) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_MAP;
    sft_file *file;
    sft_error error;
    if (sft_open(path, &options, &file, &error) != SFT_OK) {
        char line[2048];
        sft_error_format(&error, line, sizeof line);
        fail("cannot open", line);
    }
    return file;
}

/* The bytes of a tensor that must be there, with this dtype and shape. */
static const unsigned char *view(const sft_file *file, const char *name, sft_dtype dtype,
                                 uint32_t rank, const uint64_t *shape) {
    const sft_tensor *tensor = sft_find(file, name, strlen(name));
    if (tensor == NULL) {
        fail(name, "the file has no such tensor");
    }
    if (tensor->dtype != dtype || tensor->rank != rank ||
        memcmp(tensor->shape, shape, rank * sizeof *shape) != 0) {
        fail(name, "the tensor has another dtype or shape than this program expects");
    }
    return sft_data(file, tensor);
}

/* A number of an F32 tensor: little-endian in the file, whatever the machine is. */
static float number(const unsigned char *tensor, size_t index) {
    const unsigned char *at = tensor + 4 * index;
    const uint32_t bits =
        (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static network load(const sft_file *file) {
    const uint64_t conv1[] = {FIRST, 1, 3, 3};
    const uint64_t conv2[] = {SECOND, FIRST, 3, 3};
    const uint64_t linear[] = {CLASSES, FEATURES};
    return (network){
        .conv1_weight = view(file, "conv1.weight", SFT_F32, 4, conv1),
        .conv1_bias = view(file, "conv1.bias", SFT_F32, 1, conv1),
        .conv2_weight = view(file, "conv2.weight", SFT_F32, 4, conv2),
        .conv2_bias = view(file, "conv2.bias", SFT_F32, 1, conv2),
        .linear_weight = view(file, "linear.weight", SFT_F32, 2, linear),
        .linear_bias = view(file, "linear.bias", SFT_F32, 1, linear),
    };
}

/* One place of one output channel: 3x3 around (y, x) of every input channel, zero outside. */
static float convolve_at(const float *in, int channels, int side, const unsigned char *weight,
                         int out, int y, int x) {
    float sum = 0;
    for (int c = 0; c < channels; c++) {
        for (int k = 0; k < 9; k++) {
            const int row = y + k / 3 - 1, column = x + k % 3 - 1;
            if (row >= 0 && row < side && column >= 0 && column < side) {
                const int at = (out * channels + c) * 9 + k;
                sum += in[(c * side + row) * side + column] * number(weight, (size_t)at);
            }
        }
    }
    return sum;
}

/* A convolution, ReLU, and the maximum of each 2x2: `out` has half the side. */
static void convolve(const float *in, int in_channels, int side, const unsigned char *weight,
                     const unsigned char *bias, float *out, int out_channels) {
    const int half = side / 2;
    for (int o = 0; o < out_channels; o++) {
        for (int place = 0; place < half * half; place++) {
            float best = 0; /* ReLU: nothing is below zero */
            for (int k = 0; k < 4; k++) {
                const int y = 2 * (place / half) + k / 2, x = 2 * (place % half) + k % 2;
                const float value =
                    number(bias, (size_t)o) + convolve_at(in, in_channels, side, weight, o, y, x);
                best = value > best ? value : best;
            }
            out[o * half * half + place] = best;
        }
    }
}

static void classify(const network *net, const unsigned char *image, float *logits) {
    float pixels[SIDE * SIDE], first[FIRST * 4 * 4], second[FEATURES];
    for (int i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = (float)image[i] / 16;
    }
    convolve(pixels, 1, SIDE, net->conv1_weight, net->conv1_bias, first, FIRST);
    convolve(first, FIRST, SIDE / 2, net->conv2_weight, net->conv2_bias, second, SECOND);
    for (size_t c = 0; c < CLASSES; c++) {
        logits[c] = number(net->linear_bias, c);
        for (size_t f = 0; f < FEATURES; f++) {
            logits[c] += second[f] * number(net->linear_weight, c * FEATURES + f);
        }
    }
}

static uint8_t largest(const float *logits) {
    uint8_t best = 0;
    for (int c = 1; c < CLASSES; c++) {
        best = logits[c] > logits[best] ? (uint8_t)c : best;
    }
    return best;
}

static void save(const char *path, const uint8_t *guesses, uint64_t count) {
    const sft_tensor_data tensor = {"guesses", 7, SFT_U8, 1, &count, guesses, count};
    sft_error error;
    if (sft_write(path, &tensor, 1, NULL, &error) != SFT_OK) {
        fail("cannot write", error.message);
    }
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: digits MODEL HELDOUT [GUESSES]\n");
        return 64;
    }
    sft_file *model = open_mapped(argv[1]), *heldout = open_mapped(argv[2]);
    const network net = load(model);
    const sft_tensor *labels_tensor = sft_find(heldout, "labels", 6);
    const uint64_t count = labels_tensor && labels_tensor->rank == 1 ? labels_tensor->shape[0] : 0;
    const uint64_t image_shape[] = {count, SIDE, SIDE}, logit_shape[] = {count, CLASSES};
    const unsigned char *labels = view(heldout, "labels", SFT_U8, 1, &count);
    const unsigned char *images = view(heldout, "images", SFT_U8, 3, image_shape);
    const unsigned char *expected = view(heldout, "logits", SFT_F32, 2, logit_shape);

    uint8_t *guesses = malloc(count > 0 ? count : 1);
    if (guesses == NULL) {
        fail("cannot classify", "no memory");
    }
    unsigned correct = 0;
    float apart = 0;
    for (size_t i = 0; i < count; i++) {
        float logits[CLASSES];
        classify(&net, images + i * SIDE * SIDE, logits);
        guesses[i] = largest(logits);
        correct += guesses[i] == labels[i];
        for (size_t c = 0; c < CLASSES; c++) {
            apart = fmaxf(apart, fabsf(logits[c] - number(expected, i * CLASSES + c)));
        }
    }
    printf("%u of %u held-out digits are right: %.2f %%\n", correct, (unsigned)count,
           count > 0 ? 100.0 * correct / (double)count : 0.0);

    const sft_metadata_entry *entry =
        sft_header_metadata_find(sft_file_header(model), "correct", strlen("correct"));
    if (entry != NULL) {
        printf("PyTorch had %.*s\n", (int)entry->value_length, entry->value);
    }
    printf("logits are PyTorch's %s (largest difference %.1e)\n",
           apart < 1e-4F ? "but for rounding" : "NOT", (double)apart);
    if (argc == 4) {
        save(argv[3], guesses, count);
    }
    free(guesses);
    sft_close(heldout);
    sft_close(model);
    return apart < 1e-4F ? 0 : 1;
}
