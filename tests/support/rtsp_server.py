"""A test RTSP server: `rtsp_server.py WIDTH HEIGHT FRAMES` prints its address, serves until killed.

Runs under a Python that has Debian's python3-gi and gir1.2-gst-rtsp-server-1.0.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

width, height, frames = sys.argv[1:4]
Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(
    f"( videotestsrc is-live=true num-buffers={frames} pattern=ball ! "
    f"video/x-raw,width={width},height={height},framerate=30/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print(f"rtsp://127.0.0.1:{server.get_bound_port()}/live", flush=True)
GLib.MainLoop().run()
