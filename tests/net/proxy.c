/*
 * A bad network between a client and a PostgreSQL server: passes connections on, and at a moment that is chosen to the
 * byte, or to the message that commits, breaks them.
 *
 * proxy [-l PORT] [-s SERVER] [-p PORT] [-n N] [-t TEXT] [-x] FAULT [WHEN NUMBER]
 *
 * -l PORT: to listen on; otherwise one that is free.
 * SERVER: an IPv4 address (127.0.0.1 when not said), or the folder of its Unix socket.
 * FAULT:  pass (none); cut (both sides are closed), reset (with RST); hole (nothing goes on, nothing is closed);
 *         trickle (one byte a second); delay MILLISECONDS (before whatever goes on; without WHEN).
 * WHEN:   up N, down N: after N bytes from the client, from the server;
 *         sent N: when the client's Nth COMMIT has come and before it goes on;
 *         done N: when the server's answer to it has come and before it goes on. Counted over all connections, once.
 * -n N:   only on the Nth connection. -x: after the first fault there is no server any more: new connections end.
 * -t TEXT: only a COMMIT of a transaction in which the client sent a query with this text counts.
 *
 * Prints the port of 127.0.0.1 on which it listens; on standard error, each fault. Ends by a signal.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define BUFFER 65536

enum fault { PASS, CUT, RESET, HOLE, TRICKLE, DELAY };
enum when { UP, DOWN, SENT, DONE };

static const char *const fault_names[] = {
	"pass", "cut", "reset", "hole", "trickle", "delay", NULL
};
static const char *const when_names[] = { "up", "down", "sent", "done", NULL };

/* What is asked for; not changed once connections come. */
static struct {
	const char *server, *text;
	uint16_t port, listen;
	enum fault fault;
	enum when when;
	unsigned long number, only;
	bool gone_after;
} asked = { .server = "127.0.0.1", .port = 5432 };

static atomic_ulong commits;
static atomic_bool broken;

struct way {
	int from, to;
	uint8_t buf[BUFFER];
	size_t have;
	unsigned long passed;
	bool ended; /* nothing more comes */
	bool slow;
	struct wire wire;
};

struct connection {
	unsigned long number;
	struct way way[2]; /* UP, DOWN */
};

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void pause_for(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* ---- Breaking ---------------------------------------------------------------------------------------- */

static bool is_meant(const struct connection *conn)
{
	return asked.only == 0 || conn->number == asked.only;
}

static void reset_at_close(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* False: the connection is over. */
static bool break_it(struct connection *conn, enum when when)
{
	fprintf(stderr, "proxy: connection %lu: %s %s %lu\n", conn->number,
		fault_names[asked.fault], when_names[when], asked.number);
	broken = true;
	switch (asked.fault) {
	case TRICKLE:
		conn->way[UP].slow = when == UP || when == SENT;
		conn->way[DOWN].slow = !conn->way[UP].slow;
		return true;
	case HOLE:
		for (;;)
			pause();
	case RESET:
		reset_at_close(conn->way[UP].from);
		reset_at_close(conn->way[UP].to);
		return false;
	default:
		return false;
	}
}

/* ---- Passing on -------------------------------------------------------------------------------------- */

/* Up to the message that commits, when the time has come for it. */
static size_t let_messages_go(struct way *way, bool counts, bool *due)
{
	size_t pass = 0;
	bool commit;

	for (;;) {
		pass += wire_pass(&way->wire, way->buf + pass, way->have - pass, BUFFER, &commit);
		if (!commit)
			return pass;
		*due = counts && atomic_fetch_add(&commits, 1) + 1 == asked.number;
		if (*due)
			return pass;
		wire_let(&way->wire, way->buf + pass);
	}
}

/* How many bytes may go on now; *due: then the fault. */
static size_t let_go(struct connection *conn, enum when direction, bool *due)
{
	struct way *way = &conn->way[direction];

	*due = false;
	if (way->slow)
		return 1;
	if (asked.fault == PASS || asked.fault == DELAY || !is_meant(conn) ||
	    conn->way[1 - direction].slow)
		return way->have;
	if (asked.when == SENT || asked.when == DONE)
		return let_messages_go(way, asked.when == (direction == UP ? SENT : DONE), due);
	if (asked.when != direction)
		return way->have;
	*due = way->passed + way->have >= asked.number;
	return *due ? asked.number - way->passed : way->have;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

/* Reads what has come, lets go on what may. False: the connection is over. */
static bool pass_on(struct connection *conn, enum when direction)
{
	struct way *way = &conn->way[direction];
	ssize_t n = read(way->from, way->buf + way->have, BUFFER - way->have);
	bool due = false;

	if (n <= 0) {
		way->ended = true;
		shutdown(way->to, SHUT_WR);
		return n == 0;
	}
	way->have += (size_t)n;
	if (asked.fault == DELAY)
		pause_for((long)asked.number);
	while (way->have > 0) {
		size_t pass = let_go(conn, direction, &due);

		if (!write_all(way->to, way->buf, pass))
			return false;
		way->passed += pass;
		way->have -= pass;
		memmove(way->buf, way->buf + pass, way->have);
		if (way->slow)
			pause_for(1000);
		if (due && !break_it(conn, asked.when))
			return false;
		if (pass == 0 && !due)
			break;
	}
	return true;
}

static void *serve(void *arg)
{
	struct connection *conn = arg;
	bool alive = true;

	while (alive && !(conn->way[UP].ended && conn->way[DOWN].ended)) {
		struct pollfd fds[2];

		for (int i = 0; i < 2; i++)
			fds[i] = (struct pollfd){ conn->way[i].ended ? -1 : conn->way[i].from,
						  POLLIN, 0 };
		if (poll(fds, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2 && alive; i++)
			if (fds[i].revents)
				alive = pass_on(conn, (enum when)i);
	}
	close(conn->way[UP].from);
	close(conn->way[UP].to);
	free(conn);
	return NULL;
}

/* ---- Connections --------------------------------------------------------------------------------------- */

static int connect_to_server(void)
{
	struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_port = htons(asked.port) };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	bool is_local = asked.server[0] == '/';
	int fd = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, rc;

	if (fd < 0)
		return -1;
	if (is_local) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s/.s.PGSQL.%d", asked.server,
			 asked.port);
		rc = connect(fd, (struct sockaddr *)&local, sizeof(local));
	} else {
		if (inet_pton(AF_INET, asked.server, &tcp.sin_addr) != 1)
			die(asked.server);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		rc = connect(fd, (struct sockaddr *)&tcp, sizeof(tcp));
	}
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

static void accepted(int client, unsigned long number)
{
	int server = asked.gone_after && broken ? -1 : connect_to_server(), on = 1;
	struct connection *conn = server < 0 ? NULL : calloc(1, sizeof(*conn));
	pthread_t thread;

	if (!conn) {
		close(client);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->number = number;
	for (int i = 0; i < 2; i++) {
		conn->way[i].from = i == UP ? client : server;
		conn->way[i].to = i == UP ? server : client;
		conn->way[i].wire.from_client = i == UP;
		conn->way[i].wire.text = asked.text;
		conn->way[i].wire.other = &conn->way[1 - i].wire;
	}
	if (pthread_create(&thread, NULL, serve, conn) != 0)
		die("pthread_create");
	pthread_detach(thread);
}

static int listen_here(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(asked.listen),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&here, size) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &size) != 0)
		die("no port to listen on");
	printf("%d\n", ntohs(here.sin_port));
	fflush(stdout);
	return fd;
}

/* ---- What is asked for ----------------------------------------------------------------------------------- */

static int name_in(const char *const *names, const char *name)
{
	for (int i = 0; name && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fprintf(stderr, "proxy: what is %s?\n", name ? name : "to come here");
	exit(99);
}

static void read_arguments(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+l:n:p:s:t:x")) != -1) {
		if (option == 'n')
			asked.only = strtoul(optarg, NULL, 10);
		else if (option == 'l')
			asked.listen = (uint16_t)strtoul(optarg, NULL, 10);
		else if (option == 'p')
			asked.port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (option == 's')
			asked.server = optarg;
		else if (option == 't')
			asked.text = optarg;
		else if (option == 'x')
			asked.gone_after = true;
		else
			exit(99);
	}
	argv += optind;
	argc -= optind;
	asked.fault = (enum fault)name_in(fault_names, argv[0]);
	if (asked.fault != PASS && asked.fault != DELAY)
		asked.when = (enum when)name_in(when_names, argv[1]);
	if (asked.fault != PASS)
		asked.number = strtoul(argv[argc - 1], NULL, 10);
}

int main(int argc, char **argv)
{
	int listener;

	read_arguments(argc, argv);
	listener = listen_here();
	for (unsigned long number = 1;; number++) {
		int client = accept(listener, NULL, NULL);

		if (client >= 0)
			accepted(client, number);
	}
}
