/* A mock model server for measuring proxies: HTTP/1.1 keep-alive, one thread, epoll, no work to speak of.
 *
 * usage: upstream PORT
 *
 * It answers OpenAI's chat dialect. A body with "stream":true gets server-sent events, any other one JSON completion; both at once.
 * The request itself says how the stream goes, so that one server serves every measurement and no proxy has to reconnect: the text
 * "[mock CHUNKS INTERVAL_US]" anywhere in the body means that many deltas, one per interval (0: all of them at once). Default: 20 0.
 * Requests may come with content-length or chunked. GET (health checks, model lists) gets a model list.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 65536, READ_SIZE = 65536, OUT_SIZE = 16384, EVENT_SIZE = 512, MAX_EVENTS = 512 };

typedef struct {
    char *buffer; /* the request so far, then what follows it */
    size_t length, capacity;
    bool is_active; /* an answer is under way */
    bool is_stream;
    int index; /* in `active` */
    int sent, chunks;
    long long interval_us, next_us;
} connection;

static connection connections[MAX_FD];
static int active[MAX_FD], active_count; /* fds of the connections with an answer under way, in no order */

static const char MODELS[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"up-model\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}]}";
static const char COMPLETION[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How can I help you today? I can answer questions, write code and read "
    "files.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":18,"
    "\"total_tokens\":138}}";
#define CHUNK_START \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":["
static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
static const char STREAM_END[] = CHUNK_START
    "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n" CHUNK_START
    "],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":18,\"total_tokens\":138}}\n\n"
    "data: [DONE]\n\n";

static long long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            usleep(50); /* answers are small: a full socket means a proxy that is busy, not a slow reader */
            continue;
        }
        if (n < 0)
            return; /* the proxy left; epoll says so next */
        data += n;
        length -= (size_t)n;
    }
}

static void send_json(int fd, const char *body)
{
    char out[2048];
    int n = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                     strlen(body), body);
    send_all(fd, out, (size_t)n);
}

static size_t append_chunk(char *out, size_t at, const char *data, size_t length)
{
    at += (size_t)sprintf(out + at, "%zx\r\n", length);
    memcpy(out + at, data, length);
    memcpy(out + at + length, "\r\n", 2);
    return at + length + 2;
}

static void start_answer(int fd)
{
    connection *c = &connections[fd];
    c->is_active = true;
    c->sent = 0;
    c->next_us = now_us();
    c->index = active_count;
    active[active_count++] = fd;
}

static void end_answer(int fd)
{
    connection *c = &connections[fd];
    if (!c->is_active)
        return;
    c->is_active = false;
    int last = active[--active_count];
    active[c->index] = last;
    connections[last].index = c->index;
}

static void close_connection(int fd)
{
    end_answer(fd);
    close(fd);
    free(connections[fd].buffer);
    memset(&connections[fd], 0, sizeof(connection));
}

/* Sends what is due of a stream; true when that was the end. */
static bool continue_stream(int fd)
{
    connection *c = &connections[fd];
    char out[OUT_SIZE], event[EVENT_SIZE];
    size_t length = 0;
    if (c->sent == 0) {
        memcpy(out, STREAM_HEAD, sizeof STREAM_HEAD - 1);
        length = sizeof STREAM_HEAD - 1;
    }
    do {
        int n = snprintf(event, sizeof event,
                         CHUNK_START "{\"index\":0,\"delta\":{\"content\":\" token%d\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                         c->sent);
        length = append_chunk(out, length, event, (size_t)n);
        if (length > OUT_SIZE - 4096) {
            send_all(fd, out, length);
            length = 0;
        }
        c->sent++;
    } while (c->interval_us == 0 && c->sent < c->chunks);
    bool is_done = c->sent >= c->chunks;
    if (is_done) {
        length = append_chunk(out, length, STREAM_END, sizeof STREAM_END - 1);
        memcpy(out + length, "0\r\n\r\n", 5);
        length += 5;
    } else {
        c->next_us += c->interval_us;
    }
    send_all(fd, out, length);
    return is_done;
}

static void answer_what_is_due(void)
{
    long long now = now_us();
    for (int i = 0; i < active_count; i++) {
        int fd = active[i];
        connection *c = &connections[fd];
        if (c->next_us > now)
            continue;
        if (!c->is_stream)
            send_json(fd, COMPLETION);
        if (!c->is_stream || continue_stream(fd)) {
            end_answer(fd);
            i--; /* the last one of the list took this place */
        }
    }
}

/* The length of the complete request at the start of the buffer, 0 when more must come. */
static size_t request_length(connection *c, size_t *head_length)
{
    char *end = memmem(c->buffer, c->length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *head_length = (size_t)(end - c->buffer) + 4;
    *end = 0; /* the searches below stay in the head */
    char *length_field = strcasestr(c->buffer, "\r\ncontent-length:");
    bool is_chunked = strcasestr(c->buffer, "\r\ntransfer-encoding: chunked") != NULL;
    size_t body = length_field ? strtoul(length_field + 17, NULL, 10) : 0;
    *end = '\r';
    if (is_chunked) {
        char *last = memmem(c->buffer + *head_length, c->length - *head_length, "\r\n0\r\n\r\n", 7);
        return last ? (size_t)(last - c->buffer) + 7 : 0;
    }
    return c->length >= *head_length + body ? *head_length + body : 0;
}

/* Takes complete requests off the buffer until one of them has an answer under way. */
static void take_requests(int fd)
{
    connection *c = &connections[fd];
    size_t head, length;
    while (!c->is_active && (length = request_length(c, &head)) > 0) {
        bool is_get = strncmp(c->buffer, "GET", 3) == 0;
        char *body = c->buffer + head;
        size_t body_length = length - head;
        c->is_stream = memmem(body, body_length, "\"stream\":true", 13) || memmem(body, body_length, "\"stream\": true", 14);
        c->chunks = 20;
        c->interval_us = 0;
        char *mark = memmem(body, body_length, "[mock ", 6);
        if (mark)
            sscanf(mark, "[mock %d %lld]", &c->chunks, &c->interval_us); /* the buffer ends with a 0 */
        memmove(c->buffer, c->buffer + length, c->length - length);
        c->length -= length;
        c->buffer[c->length] = 0;
        if (is_get)
            send_json(fd, MODELS);
        else
            start_answer(fd);
    }
}

static void accept_all(int listener, int epoll)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connection *c = &connections[fd];
        c->capacity = 2 * READ_SIZE;
        c->buffer = malloc(c->capacity + 1);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void read_all(int fd)
{
    connection *c = &connections[fd];
    for (;;) {
        if (c->capacity - c->length < READ_SIZE) {
            c->capacity *= 2;
            c->buffer = realloc(c->buffer, c->capacity + 1);
        }
        ssize_t n = recv(fd, c->buffer + c->length, c->capacity - c->length, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close_connection(fd);
            return;
        }
        if (n < 0) {
            take_requests(fd);
            return;
        }
        c->length += (size_t)n;
        c->buffer[c->length] = 0;
    }
}

/* Milliseconds until the next piece of any answer is due, rounded up; -1 when none is under way. */
static int wait_ms(void)
{
    if (active_count == 0)
        return -1;
    long long now = now_us(), next = now + 1000000;
    for (int i = 0; i < active_count; i++)
        if (connections[active[i]].next_us < next)
            next = connections[active[i]].next_us;
    return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("upstream: listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: upstream PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files = {MAX_FD - 1, MAX_FD - 1};
    setrlimit(RLIMIT_NOFILE, &files); /* as far as we are allowed; the default is enough for the usual runs */
    int listener = listen_on(atoi(argv[1]));
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[MAX_EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, MAX_EVENTS, wait_ms());
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll);
            else
                read_all(events[i].data.fd);
        }
        answer_what_is_due();
    }
}
