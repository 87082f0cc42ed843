-- fragment: device_columns
-- Every column of an approved device, in the order of `devices.read_device`.
device_id, public_key, name, platform, client, scopes, token_id, approved_at, approved_by

-- fragment: request_columns
-- Every column of a request, in the order of `devices.read_request`.
request_id, device_id, public_key, name, platform, client, mode, scopes, reason, address, created_at, expires_at

-- name: find_device
-- An approved device.
SELECT {device_columns} FROM devices WHERE device_id = :device_id;

-- name: find_device_by_token
-- The device that a token was handed out to.
SELECT {device_columns} FROM devices WHERE token_id = :token_id;

-- name: load_devices
-- Every approved device, the oldest first.
SELECT {device_columns} FROM devices ORDER BY approved_at, device_id;

-- name: load_device_requests
-- Every request, the oldest first.
SELECT {request_columns} FROM device_requests ORDER BY created_at, request_id;

-- name: find_device_request
-- The request of a device.
SELECT {request_columns} FROM device_requests WHERE device_id = :device_id;

-- name: count_device_requests
-- How many devices wait.
SELECT COUNT(*) FROM device_requests;

-- name: remove_expired_device_requests
-- Requests whose time is over, and those that were made before the clock was set back.
DELETE FROM device_requests WHERE expires_at <= :now OR created_at > :latest;

-- name: save_device_request
-- A request; one of the same device says what it asks for now.
INSERT INTO device_requests ({request_columns}) VALUES (
    :request_id, :device_id, :public_key, :name, :platform, :client, :mode, :scopes, :reason, :address, :created_at,
    :expires_at
) ON CONFLICT (device_id) DO UPDATE SET
    name = excluded.name, platform = excluded.platform, client = excluded.client, mode = excluded.mode,
    scopes = excluded.scopes, reason = excluded.reason, address = excluded.address;

-- name: remove_device_request
-- A request that was answered.
DELETE FROM device_requests WHERE request_id = :request_id;

-- name: save_device
-- An approved device, anew if it was approved before.
INSERT INTO devices ({device_columns}) VALUES (
    :device_id, :public_key, :name, :platform, :client, :scopes, :token_id, :approved_at, :approved_by
) ON CONFLICT (device_id) DO UPDATE SET
    name = excluded.name, platform = excluded.platform, client = excluded.client, scopes = excluded.scopes,
    token_id = excluded.token_id, approved_at = excluded.approved_at, approved_by = excluded.approved_by;

-- name: set_device_token
-- The token that a device was given, if it has none.
UPDATE devices SET token_id = :token_id WHERE device_id = :device_id AND token_id IS NULL;

-- name: remove_device
-- A device that is shut out again.
DELETE FROM devices WHERE device_id = :device_id;
