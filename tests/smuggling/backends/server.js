// Reads the whole body, tells what it saw, and answers with the path.
const http = require("http");

const server = http.createServer({ maxHeaderSize: 1 << 17 }, (request, response) => {
  let length = 0;
  request.on("data", (chunk) => (length += chunk.length));
  request.on("end", () => {
    console.log(`200 ${request.method} ${request.url} ${length}`);
    response.end(request.url);
  });
});
server.on("clientError", (error, socket) => {
  if (error.code !== "ECONNRESET") console.log("400 ? ? 0");
  socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.argv[2]), "127.0.0.1");
