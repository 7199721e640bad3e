import sys

port = int(sys.argv[1])


def settle():
    """Wait until the kernel holds no datagram for the server: bursts could overflow its buffer."""
    while True:
        with open("/proc/net/udp") as table:
            fields = [line.split() for line in table]
        if all(f[4].endswith(":00000000") for f in fields if f[1].endswith(f":{port:04X}")):
            return
