/** Loaded with `node --require`: the file that EIPC_ASAN_ADDON names takes the place of the addon that was built here. */
const Module = require('node:module');

const { EIPC_ASAN_ADDON: addon } = process.env;
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  return addon !== undefined && /eipc\.[\w-]+\.node$/.test(request) ? addon : resolve.call(this, request, ...rest);
};
