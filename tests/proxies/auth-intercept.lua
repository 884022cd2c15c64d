-- Stands in for haproxy-auth-request, which no package of the system has: the same action, as far
-- as the README's recipe uses it. It asks with the client's Authorization, gives a good answer's
-- X-Auth- fields to the service, and a bad one's status and challenge to the client.

core.register_action("auth-intercept", { "http-req" }, function(txn, backend, path, _, _, _, _)
  local _, server = next(core.backends[backend].servers)
  local ask = core.httpclient()
  local answer = ask:head{
    url = "http://" .. server:get_addr() .. path,
    headers = { authorization = txn.http:req_get_headers()["authorization"] },
  }
  if answer.status == 200 then
    for _, name in ipairs({ "x-auth-client", "x-auth-user", "x-auth-scope" }) do
      txn.http:req_set_header(name, answer.headers[name][0])
    end
    return
  end
  local reply = txn:reply{ status = answer.status }
  for _, challenge in pairs(answer.headers["www-authenticate"] or {}) do
    reply:add_header("www-authenticate", challenge)
  end
  txn:done(reply)
end, 6)
